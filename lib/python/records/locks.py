# SPDX-License-Identifier: MIT
#
# Locks, as table.py explains. Only the `_semlock` inside of a lock is replaced: all methods of a lock end there.
# globals: HOLDING, IDLE, ONE, RELEASING, SLEEPING, TAKING, TURNS, WAITING, address_of, recorded, table_of
import time, weakref
from multiprocessing import synchronize

monotonic = time.monotonic

# A thread that sleeps in sem_wait takes the lock when it wakes, so it may have the lock already. Each time such a sleep was in
# vain, the turn in its record changes: a member that looks for the holder sees from it that this thread had not got the lock before.
SLICE = 0.2

# The attributes of a SemLock, except for the methods that acquire and release it.
SEMLOCK = ('handle', 'kind', 'maxvalue', 'name', '_count', '_is_mine', '_get_value', '_is_zero', '_after_fork')


def sleep_until_taken(take, low, index, turn, timeout, look=None):
    """Waits for a semaphore. False when the time is up. `look` is called after each sleep that was in vain."""
    end = None if timeout is None else monotonic() + max(timeout, 0)
    # The turn moves to the tag's place, and the place of the count tells how many sleeps were in vain.
    sleeping, sleeps = (turn & 0xffff0) << 12 | SLEEPING, 0
    while True:
        left = SLICE if end is None else min(SLICE, end - monotonic())
        if left <= 0:
            return False
        low[index] = sleeping | (sleeps & 0xfff) << 4
        if take(True, left):
            return True
        sleeps += 1
        if look is not None:
            low[index] = turn & TURNS
            look()


class Semaphore:
    """A semaphore, with the attributes of the SemLock that it takes the place of. A class that derives from SemLock would do, but
    in Python 3.8 the instances of such a class cannot have attributes."""

    def __init__(self, semaphore, acquire, release, leave=None):
        for name in SEMLOCK:
            setattr(self, name, getattr(semaphore, name))
        self.acquire, self.release = acquire, release
        # multiprocessing calls these by their names, so they need not be those of the class.
        self.__enter__, self.__exit__ = acquire, leave or (lambda *error: release())


def recorded_lock(semaphore, table, number):
    """The semaphore of a lock. These functions share their variables, which takes less time than attributes: `at` is the record of
    the acquisition that holds the lock in this process, `held` what that record says then, and `free` are the records that are not
    in use."""
    take, post, is_mine, is_zero = semaphore.acquire, semaphore.release, semaphore._is_mine, semaphore._is_zero
    low, turn, record_for, free = table.low, table.turn, table.record_for, []
    at = held = None

    def acquire(block=True, timeout=None):
        nonlocal at, held
        try:
            index = free.pop()
        except IndexError:
            index = record_for(number)
        now = turn()
        try:
            low[index] = now | TAKING
            if take(False, timeout) or block and sleep_until_taken(take, low, index, now, timeout):
                low[index] = held = now | HOLDING
                # A record is left if another process has released the lock.
                left, at = at, index
                if left is not None:
                    give_back(left, low[left] & TURNS)
                return True
            low[index] = now
            free.append(index)
            return False
        except BaseException:
            # A signal, or no memory.
            if is_mine() and at in (None, index):
                low[index] = now | RELEASING
                at = None
                post()
            give_back(index, now)
            raise

    def release(kind=None, value=None, traceback=None):
        """Also at the end of a `with`, where one call less is worth it."""
        nonlocal at
        index = at
        if index is None or low[index] != held:
            return release_other()
        try:
            low[index] = held ^ HOLDING ^ RELEASING
            at = None
            post()
            low[index] = held ^ HOLDING
            free.append(index)
        except ValueError:
            # It is free: a program that keeps no records has released it.
            give_back(index, held ^ HOLDING)
            raise
        except BaseException:
            if is_mine():
                # A signal came before the release.
                low[index] = held
                at = index
            else:
                give_back(index, held ^ HOLDING)
            raise

    def give_back(index, idle):
        low[index] = idle
        if index not in free:
            free.append(index)

    def release_other():
        nonlocal at
        # Otherwise it is an error of the caller, which multiprocessing reports.
        if is_zero():
            table.clear_holder(number)
        post()
        index, at = at, None
        if index is not None:
            give_back(index, low[index] & TURNS)

    def forget():
        nonlocal at
        at = None
        free.clear()

    found = Semaphore(semaphore, acquire, release, release)
    found.forget = forget
    recorded.append(weakref.ref(found, recorded.remove))
    return found


def recorded_rlock(semaphore, table, number):
    """The semaphore of an RLock, of which only the first acquisition and the last release count."""
    once = recorded_lock(semaphore, table, number)
    take, post, is_mine, count = semaphore.acquire, semaphore.release, semaphore._is_mine, semaphore._count

    def acquire(block=True, timeout=None):
        return take(block, timeout) if is_mine() else once.acquire(block, timeout)

    def release():
        return once.release() if is_mine() and count() == 1 else post()

    return Semaphore(semaphore, acquire, release)


class Waits:
    """The records of the waits for a condition in this process. Each is on the semaphore that the waits sleep on."""

    def __init__(self, table, number):
        self.table, self.number, self.used, self.free = table, number, [], []
        recorded.append(weakref.ref(self, recorded.remove))

    def begin(self):
        index = self.free.pop() if self.free else self.table.record_for(self.number)
        self.used.append(index)
        self.table.low[index] = ONE | WAITING

    def end(self):
        # Which of the waits ends is not told, and makes no difference.
        if self.used:
            index = self.used.pop()
            self.table.low[index] = IDLE
            self.free.append(index)

    def forget(self):
        self.used.clear()
        self.free.clear()


def noted(semaphore, note):
    """A semaphore that counts waits: a wait posts it as it begins, or as it ends."""

    def release():
        note()
        semaphore.release()

    return Semaphore(semaphore, semaphore.acquire, release)


def replace(lock, make, *args):
    """Puts a Semaphore in the place of a lock's SemLock."""
    lock._semlock = make(lock._semlock, *args)
    lock._make_methods()


def restored(lock, state, restore=synchronize.SemLock.__setstate__):
    """Replaces SemLock.__setstate__ of multiprocessing."""
    restore(lock, state)
    address = address_of(lock)
    # Any process may post a semaphore that is not a lock, so no process is its holder.
    if address is not None and isinstance(lock, (synchronize.Lock, synchronize.RLock)):
        make = recorded_rlock if isinstance(lock, synchronize.RLock) else recorded_lock
        replace(lock, make, table_of(address[0]), address[1])


def restored_condition(condition, state, restore=synchronize.Condition.__setstate__):
    """Replaces Condition.__setstate__ of multiprocessing."""
    restore(condition, state)
    address = address_of(condition._wait_semaphore)
    if address is not None:
        waits = Waits(table_of(address[0]), address[1])
        replace(condition._sleeping_count, noted, waits.begin)
        replace(condition._woken_count, noted, waits.end)


synchronize.SemLock.__setstate__ = restored
synchronize.Condition.__setstate__ = restored_condition
