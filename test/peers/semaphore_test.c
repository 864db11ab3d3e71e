// SPDX-License-Identifier: MIT
//
// Checks the semaphores of interop/c. semaphore_timedwait_test.c and
// semaphore_polled_test.c do so with the functions of other systems.
// Valid as C and as C++. Prints TAP. Exit code 0 when all checks passed, else 1;
// SIGALRM ends a run that hangs.

#include "semaphores.h"

#ifdef NMP_SEM_CLOCKWAIT_
#define WAY "sem_clockwait"
#elif defined(NMP_NO_SEM_TIMEDWAIT)
#define WAY "pauses"
#else
#define WAY "sem_timedwait"
#endif

#ifndef EXPECTED_WAY
#define EXPECTED_WAY "sem_clockwait"
#endif

#define MS ((int64_t)1000000)

static void test_way(void) {
#ifdef __GLIBC__
  const char *const expected = __GLIBC__ > 2 || __GLIBC_MINOR__ >= 30 ? EXPECTED_WAY : WAY;
#else
  const char *const expected = WAY;
#endif
  check(strcmp(WAY, expected) == 0, "waits with a time limit use %s", WAY);
}

static void test_open(void) {
  const struct name missing = new_name(), name = make_name(2);
  sem_t *one = SEM_FAILED, *other = SEM_FAILED;
  check(nmp_sem_open(missing.text, &one) == -ENOENT && one == NULL, "a missing name: ENOENT");
  int good = nmp_sem_open(name.text, &one) == 0 && nmp_sem_open(name.text, &other) == 0;
  must(sem_unlink(name.text), "sem_unlink");
  good &= nmp_sem_value(one) == 2 && nmp_sem_trywait(other) == 0 && nmp_sem_value(one) == 1;
  good &= nmp_sem_close(other) == 0 && nmp_sem_value(one) == 1 && nmp_sem_close(one) == 0;
  check(good, "opening the same name shares the value, which closing does not change");
}

static void test_values(void) {
  sem_t *const sem = make_semaphore(1), *const full = make_semaphore(INT_MAX);
  int good = nmp_sem_trywait(sem) == 0 && nmp_sem_trywait(sem) == NMP_TIMEOUT;
  good &= nmp_sem_wait(sem, 0) == NMP_TIMEOUT && nmp_sem_value(sem) == 0;
  good &= nmp_sem_is_zero_(sem) && nmp_sem_post(sem) == 0 && !nmp_sem_is_zero_(sem);
  good &= nmp_sem_wait(sem, -1) == 0 && nmp_sem_post(sem) == 0 && nmp_sem_wait(sem, 9) == 0;
  check(good, "trywait, wait and post change the value by one");
  good = nmp_sem_release(sem, 1) == 0 && nmp_sem_release(sem, 1) == NMP_RELEASED_TOO_OFTEN;
  good &= nmp_sem_value(sem) == 1 && nmp_sem_release(sem, 2) == 0;
  good &= nmp_sem_release(sem, 2) == NMP_RELEASED_TOO_OFTEN && nmp_sem_value(sem) == 2;
  check(good, "a release above the highest value changes nothing");
  good = nmp_sem_release(full, INT_MAX) == NMP_RELEASED_TOO_OFTEN;
  good &= nmp_sem_post(full) == -EOVERFLOW && nmp_sem_value(full) == INT_MAX;
  check(good, "no value is above SEM_VALUE_MAX");
  nmp_sem_close(sem);
  nmp_sem_close(full);
}

static void test_timeout(void) {
  sem_t *const sem = make_semaphore(0);
  int64_t start = nmp_now_ns_();
  int good = nmp_sem_wait(sem, 30) == NMP_TIMEOUT && nmp_now_ns_() - start >= 30 * MS;
  check(good, "a wait lasts for the whole timeout");
  begin_signals();
  start = nmp_now_ns_();
  good = nmp_sem_wait(sem, 60) == NMP_TIMEOUT && nmp_now_ns_() - start >= 60 * MS;
  end_signals();
  check(good && signals > 0, "signals do not shorten a wait");
  good = nmp_sem_value(sem) == 0 && nmp_sem_post(sem) == 0 && nmp_sem_trywait(sem) == 0;
  check(good, "a wait that timed out has taken nothing");
  nmp_sem_close(sem);
}

static int answer(sem_t *ping, sem_t *pong, int rounds) {
  int bad = 0;
  for (int i = 0; i < rounds && !bad; i++) {
    bad = nmp_sem_wait(ping, i % 2 == 0 ? -1 : 60000) != 0 || nmp_sem_post(pong) != 0;
  }
  return bad;
}

static void test_hand_over(int rounds) {
  sem_t *const ping = make_semaphore(0), *const pong = make_semaphore(0);
  const pid_t pid = must(fork(), "fork");
  if (pid == 0) _exit(answer(ping, pong, rounds));
  begin_signals();
  int good = nmp_sem_post(ping) == 0 && answer(pong, ping, rounds) == 0;
  while (good && signals == 0) continue;
  end_signals();
  check(exited_well(pid) && good, "%d hand-overs between two processes under signals", rounds);
  nmp_sem_close(ping);
  nmp_sem_close(pong);
}

static int add(int fd, sem_t *lock, int rounds) {
  for (int i = 0; i < rounds; i++) {
    int32_t count;
    if (nmp_sem_wait(lock, i % 2 == 0 ? -1 : 60000) != 0) return 1;
    if (pread(fd, &count, sizeof count, 0) != sizeof count) return 1;
    count++;
    if (pwrite(fd, &count, sizeof count, 0) != sizeof count) return 1;
    if (nmp_sem_release(lock, 1) != 0) return 1;
  }
  return 0;
}

static void test_exclusion(int rounds) {
  enum { PROCESSES = 4 };
  sem_t *const lock = make_semaphore(1);
  FILE *const file = tmpfile();
  must(file == NULL ? -1 : 0, "tmpfile");
  const int fd = fileno(file);
  int32_t count = 0;
  int good = pwrite(fd, &count, sizeof count, 0) == sizeof count;
  pid_t pids[PROCESSES];
  for (int i = 0; i < PROCESSES; i++) {
    pids[i] = must(fork(), "fork");
    if (pids[i] == 0) _exit(add(fd, lock, rounds));
  }
  for (int i = 0; i < PROCESSES; i++) good &= exited_well(pids[i]);
  good &= pread(fd, &count, sizeof count, 0) == sizeof count;
  check(good && count == PROCESSES * rounds && nmp_sem_value(lock) == 1,
        "only one of %d processes at a time has the lock", PROCESSES);
  fclose(file);
  nmp_sem_close(lock);
}

static void test_killed_holder(void) {
  sem_t *const lock = make_semaphore(1);
  const pid_t pid = must(fork(), "fork");
  if (pid == 0) {
    if (nmp_sem_wait(lock, -1) != 0) _exit(1);
    raise(SIGKILL);
  }
  int status = 0;
  must(waitpid(pid, &status, 0), "waitpid");
  int good = WIFSIGNALED(status) && nmp_sem_trywait(lock) == NMP_TIMEOUT;
  good &= nmp_sem_wait(lock, 10) == NMP_TIMEOUT;
  good &= nmp_sem_release(lock, 1) == 0 && nmp_sem_wait(lock, -1) == 0;
  check(good, "a lock of a killed holder stays taken until another process releases it");
  nmp_sem_close(lock);
}

int main(void) {
  const int before = open_descriptors();
  guard_run();
  test_way();
  test_open();
  test_values();
  test_timeout();
  test_hand_over(200);
  test_exclusion(500);
  test_killed_holder();
  check(open_descriptors() == before, "no descriptor is left open");
  return finish();
}
