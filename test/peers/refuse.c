/* SPDX-License-Identifier: MIT
 *
 * refuse <errno> <call,call,...> <program> <arguments>: runs a program in which these system calls
 * fail with this error, as in a sandbox. The exit code is 77 if no filter may be installed here. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct call {
  const char *name;
  unsigned int number;
};

static const struct call calls[] = {
    {"preadv2", SYS_preadv2},     {"pwritev2", SYS_pwritev2},
    {"pidfd_open", 434},          {"futex_waitv", 449},
    {"fallocate", SYS_fallocate}, {"epoll_pwait2", 441},
    {"statx", SYS_statx},         {"clone3", 435},
    {"close_range", 436},         {"memfd_create", SYS_memfd_create},
};

#define COUNT (sizeof calls / sizeof *calls)

int main(int argc, char **argv) {
  struct sock_filter filter[2 * COUNT + 2];
  struct sock_fprog program = {0, filter};
  size_t refused = 0;
  if (argc < 4) return 64;
  filter[program.len++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (char *name = strtok(argv[2], ","); name != NULL; name = strtok(NULL, ",")) {
    for (size_t i = 0; i < COUNT; i++) {
      if (strcmp(name, calls[i].name) != 0 || refused == COUNT) continue;
      refused++;
      filter[program.len++] =
          (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, 0, 1);
      filter[program.len++] = (struct sock_filter)BPF_STMT(
          BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)atoi(argv[1]));
    }
  }
  if (refused == 0) return 64;
  filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("seccomp");
    return 77;
  }
  execvp(argv[3], argv + 3);
  perror(argv[3]);
  return 127;
}
