// SPDX-License-Identifier: MIT
//
// A library for LD_PRELOAD: makes one system call of the addon fail. The file that
// the variable FAULTS names is the control block below, which the test writes and
// reads. Calls from outside of the addon are neither counted nor changed.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct control {
  _Atomic uint32_t armed;
  uint32_t nth;     // Which call fails, from 1 on.
  uint32_t choice;  // Which of the errors of that call.
  _Atomic uint32_t seen;
  // Set when the call fails.
  uint32_t choices;  // How many errors that call has.
  int32_t error;
  char name[24];
};

static struct control *control;

__attribute__((constructor)) static void open_control(void) {
  const char *const path = getenv("FAULTS");
  if (path == NULL) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *const block = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (block != MAP_FAILED) control = (struct control *)block;
  close(fd);
}

static int is_addon(const void *caller) {
  Dl_info info;
  if (dladdr(caller, &info) == 0 || info.dli_fname == NULL) return 0;
  return strstr(info.dli_fname, "multiprocessing") != NULL &&
         strstr(info.dli_fname, ".node") != NULL;
}

// The error with which the call shall fail, or 0.
static int failure(const char *name, const int *errors, unsigned count, const void *caller) {
  if (control == NULL || !atomic_load(&control->armed) || !is_addon(caller)) return 0;
  if (atomic_fetch_add(&control->seen, 1) + 1 != control->nth) return 0;
  const int error = errors[control->choice % count];
  control->choices = count;
  control->error = error;
  strncpy(control->name, name, sizeof control->name - 1);
  return error;
}

// Finds the function that a definition of this library hides, at its first call.
#define FIND(next, name) \
  if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, name)
#define CALLER __builtin_extract_return_addr(__builtin_return_address(0))

// Defines a function that fails with one of the errors, in errno or as its result.
#define WRAP(result, failed, name, parameters, arguments, ...)                          \
  result name parameters {                                                              \
    static const int errors[] = {__VA_ARGS__};                                          \
    static result(*next) parameters;                                                    \
    FIND(next, #name);                                                                  \
    const int error = failure(#name, errors, sizeof errors / sizeof errors[0], CALLER); \
    if (error != 0) {                                                                   \
      errno = error;                                                                    \
      return failed;                                                                    \
    }                                                                                   \
    return next arguments;                                                              \
  }

WRAP(int, -1, pipe2, (int fds[2], int flags), (fds, flags), EMFILE, ENFILE)
WRAP(int, -1, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds), EMFILE, ENOBUFS)
WRAP(int, -1, epoll_create1, (int flags), (flags), EMFILE, ENOMEM)
WRAP(int, -1, epoll_ctl, (int set, int what, int fd, struct epoll_event *event),
     (set, what, fd, event), ENOMEM, ENOSPC)
WRAP(int, error, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument),
     (thread, attributes, body, argument), EAGAIN)
WRAP(int, error, posix_fallocate64, (int fd, off64_t offset, off64_t size), (fd, offset, size),
     ENOSPC)
WRAP(int, error, posix_fallocate, (int fd, off_t offset, off_t size), (fd, offset, size), ENOSPC)
WRAP(void *, MAP_FAILED, mmap64,
     (void *address, size_t size, int access, int flags, int fd, off64_t offset),
     (address, size, access, flags, fd, offset), ENOMEM)
WRAP(int, -1, flock, (int fd, int what), (fd, what), ENOLCK, EINTR)
WRAP(ssize_t, -1, pwrite64, (int fd, const void *bytes, size_t size, off64_t at),
     (fd, bytes, size, at), ENOSPC, EINTR)
WRAP(ssize_t, -1, write, (int fd, const void *bytes, size_t size), (fd, bytes, size), ENOMEM, EINTR)
WRAP(ssize_t, -1, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count),
     ENOMEM, EINTR)
WRAP(ssize_t, -1, readv, (int fd, const struct iovec *parts, int count), (fd, parts, count), ENOMEM,
     EINTR)
WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags),
     ENOMEM, EINTR)
WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags),
     ENOBUFS, EINTR)
WRAP(ssize_t, -1, send, (int fd, const void *bytes, size_t size, int flags),
     (fd, bytes, size, flags), ENOBUFS, EINTR)
WRAP(int, -1, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout), ENOMEM,
     EINTR)
WRAP(int, -1, sem_trywait, (sem_t * semaphore), (semaphore), EINTR)

// The optional argument of a variadic function, which has the size of a register.
static long optional_argument(va_list list) { return va_arg(list, long); }

#define WRAP_OPEN(name, before, names)                                                    \
  int name before {                                                                       \
    static const int errors[] = {EMFILE, ENFILE, ENOSPC};                                 \
    static int(*next) before;                                                             \
    FIND(next, #name);                                                                    \
    va_list list;                                                                         \
    va_start(list, flags);                                                                \
    const long mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? optional_argument(list) : 0; \
    va_end(list);                                                                         \
    const int error = failure(#name, errors, (flags & O_CREAT) != 0 ? 3 : 2, CALLER);     \
    if (error != 0) {                                                                     \
      errno = error;                                                                      \
      return -1;                                                                          \
    }                                                                                     \
    return next names;                                                                    \
  }

WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

sem_t *sem_open(const char *name, int flags, ...) {
  static const int errors[] = {EMFILE, ENOSPC, ENOMEM};
  static sem_t *(*next)(const char *, int, ...);
  FIND(next, "sem_open");
  va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
  const unsigned value = (flags & O_CREAT) != 0 ? va_arg(list, unsigned) : 0;
  va_end(list);
  const int error = failure("sem_open", errors, 3, CALLER);
  if (error != 0) {
    errno = error;
    return SEM_FAILED;
  }
  return next(name, flags, mode, value);
}

int fcntl64(int fd, int what, ...) {
  static const int errors[] = {EMFILE};
  static int (*next)(int, int, ...);
  FIND(next, "fcntl64");
  va_list list;
  va_start(list, what);
  const long argument = optional_argument(list);
  va_end(list);
  // The other uses of fcntl cannot fail.
  const int makes = what == F_DUPFD_CLOEXEC || what == F_DUPFD;
  const int error = makes ? failure("fcntl", errors, 1, CALLER) : 0;
  if (error != 0) {
    errno = error;
    return -1;
  }
  return next(fd, what, argument);
}

long syscall(long number, ...) {
  static const int moving[] = {ENOMEM, EINTR};
  static const int opening[] = {EMFILE};
  static long (*next)(long, ...);
  FIND(next, "syscall");
  long a[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  const void *const caller = CALLER;
  int error = 0;
  if (number == SYS_preadv2) error = failure("preadv2", moving, 2, caller);
  if (number == SYS_pwritev2) error = failure("pwritev2", moving, 2, caller);
  if (number == SYS_pidfd_open) error = failure("pidfd_open", opening, 1, caller);
  if (error != 0) {
    errno = error;
    return -1;
  }
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
