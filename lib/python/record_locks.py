# SPDX-License-Identifier: MIT
#
# A Python child that was given locks or queues runs this before it loads its arguments (spawn_child.py). From then on the child
# records in the holder table of the locks' family (native/semaphores/holder_table.h) which locks it is taking, holding and
# releasing, as the Node members do. A lock whose holder was killed is taken over by these records.
#
# The objects stay those of multiprocessing, and so do their states in pickles. Only the `_semlock` inside of a lock is replaced:
# all methods of a lock end there. The processes that the child starts run the same source: spawned ones get it with the data
# that prepares them, forked ones inherit it.
#
# Python has no compare-and-swap, so a part of each table belongs to Python members, and its records are claimed under a lock on
# the file. A record belongs to one acquisition: while a thread tries to take a lock, holds it, or releases it.
#
# The pickle provides `folder`, that of the tables; `tracker`, the descriptor of the resource tracker if that is a Node process,
# which looks after the locks of processes that end; and `sources`, this file and those that go with it.
# globals: folder, sources, tracker
import errno, fcntl, mmap, os, re, threading, time, weakref
from _multiprocessing import SemLock
from multiprocessing import resource_tracker, spawn, synchronize

# The layout of the table. Words have 8 bytes; a record has 4: state, start time, pid namespace, pid and tag.
MAGIC, WORDS, FIRST, END = 0x31726c6864706d6e, 8192, 4096 + 8, 8192
IDLE, HOLDING, WAITING, TAKING, RELEASING = 0, 1, 2, 13, 14
PHASE, ONE = 0xf, 1 << 4
# The number of no semaphore: a record that waits for its next use.
UNUSED = 0xffffffff << 32 | IDLE

# A thread that sleeps until it gets a lock is shown as taking it. Each time such a wait has been in vain, the record says so: a
# member that looks for the holder sees from it that this thread had not got the lock.
SLICE = 0.2

take, post = SemLock.acquire, SemLock.release
monotonic = time.monotonic


def text_of(path):
    with open(path, encoding='latin-1') as file:
        return file.read()


def start_of(pid):
    """The state letter of a process, and when it started."""
    fields = text_of('/proc/%d/stat' % pid).rpartition(')')[2].split()
    return fields[0], int(fields[19])


def node_tracker():
    """The descriptor of the tracker; None once that has ended and multiprocessing has started its own."""
    return tracker if resource_tracker._resource_tracker._fd == tracker else None


def tell_tracker(line):
    try:
        if node_tracker() is not None:
            os.write(tracker, line.encode() + b'\n')
    except OSError:
        pass  # It has ended.


class Owner:
    """What tells this process from every other: see ProcessIdentity in native/os/processes.h."""

    def __init__(self):
        self.pid = os.getpid()
        try:
            self.start = start_of(self.pid)[1]
            self.space = int(re.sub(r'\D', '', os.readlink('/proc/self/ns/pid')))
        except OSError:
            # Where the system does not tell, no process can tell whether this one has ended.
            self.start = self.space = 0

    def has_ended(self, pid, start, space):
        """Whether another process has certainly ended."""
        if space == 0 or space != self.space:
            return False
        try:
            state, found = start_of(pid)
        except (FileNotFoundError, ProcessLookupError):
            return True
        except OSError:
            return False
        return state in 'ZX' or found != start


class Table:
    """The holder table of a family, and the records of this process in it."""

    def __init__(self, family):
        self.fd = os.open(os.path.join(folder, family + '.holders'), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if os.fstat(self.fd).st_size < 8 * WORDS:
                raise OSError(errno.EIO, 'The holder table of the locks was truncated')
            self.words = memoryview(mmap.mmap(self.fd, 8 * WORDS)).cast('Q')
            if self.words[0] != MAGIC:
                raise OSError(errno.EPROTO, 'The locks are those of another version of node-multiprocessing')
            self.reset()
            # A process that has no record at all must not get a lock.
            self.free.append(self.claim())
        except BaseException:
            os.close(self.fd)
            raise

    def reset(self):
        """For a new process: it has no record yet."""
        self.owner, self.free, self.claiming = Owner(), [], threading.Lock()
        self.waits = 0
        self.is_known = False

    def unused(self):
        """The index of a record of this process that is not in use."""
        try:
            return self.free.pop()
        except IndexError:
            return self.claim()

    def claim(self):
        """Takes a record for this process. Returns the index of its state."""
        # Locks on files exclude processes, not threads.
        with self.claiming:
            fcntl.lockf(self.fd, fcntl.LOCK_EX)
            try:
                at = self.find_free()
                self.words[at + 1] = self.owner.start
                self.words[at + 2] = self.owner.space
                self.words[at + 3] = self.owner.pid
                self.words[at] = UNUSED
            finally:
                fcntl.lockf(self.fd, fcntl.LOCK_UN)
            if not self.is_known:
                self.is_known = True
                tell_tracker('MEMBER:%d:pid' % self.owner.pid)
            return at

    def find_free(self):
        words = self.words
        for at in range(FIRST, END, 4):
            if words[at] == 0:
                return at
        for at in range(FIRST, END, 4):
            if words[at] & PHASE == IDLE and self.owner.has_ended(words[at + 3] & 0xffffffff, words[at + 1], words[at + 2]):
                return at
        raise OSError(errno.ENOSPC, 'Too many locks are held or waited for by Python processes of this family')

    def give_back(self, at):
        self.words[at] = UNUSED
        if at not in self.free:
            self.free.append(at)

    def clear_holder(self, number):
        """For a process that releases a lock which another process or object has taken."""
        words = self.words
        for at in range(8, END, 4):
            state = words[at]
            if state >> 32 == number and state & PHASE == HOLDING:
                words[at] = state & ~0xffff

    def next_wait(self):
        """What tells this wait from the others of the process, in the place of a record's tag."""
        self.waits = self.waits + 1 & 0xffff
        return self.waits << 16


class Recorded(SemLock):
    """The semaphore of a lock. `at` is the record of the acquisition that holds the lock in this process."""

    __slots__ = ('table', 'words', 'number', 'taking', 'holding', 'releasing', 'at', '__weakref__')

    def record(self, table, number):
        self.table, self.words, self.number, self.at = table, table.words, number, None
        self.taking, self.holding, self.releasing = (number << 32 | ONE | phase for phase in (TAKING, HOLDING, RELEASING))
        recorded.append(weakref.ref(self, recorded.remove))
        return self

    def forget(self):
        self.at = None

    def acquire(self, block=True, timeout=None):
        table = self.table
        try:
            at = table.free.pop()
        except IndexError:
            at = table.unused()
        # Only for the case that an exception interrupts this method: a signal, or no memory.
        mine = self._count() if self._is_mine() else 0
        try:
            self.words[at] = self.taking
            if take(self, False, timeout) or block and self.wait(at, timeout):
                self.words[at] = self.holding
                # A record is left if another process has released the lock.
                left, self.at = self.at, at
                if left is not None:
                    table.give_back(left)
                return True
            self.words[at] = UNUSED
            table.free.append(at)
            return False
        except BaseException:
            if self._is_mine() and self._count() > mine:
                self.words[at] = self.releasing
                self.at = None
                post(self)
            table.give_back(at)
            raise

    __enter__ = acquire

    def wait(self, at, timeout):
        end = None if timeout is None else monotonic() + max(timeout, 0)
        taking, tries = self.taking & ~0xfff0 | self.table.next_wait(), 1
        while True:
            left = SLICE if end is None else min(SLICE, end - monotonic())
            if left <= 0:
                return False
            self.words[at] = taking | (tries & 0xfff) << 4
            if take(self, True, left):
                return True
            tries += 1

    def release(self):
        at = self.at
        if at is None or self.words[at] != self.holding:
            return self.release_other()
        try:
            self.words[at] = self.releasing
            self.at = None
            post(self)
            self.words[at] = UNUSED
            self.table.free.append(at)
        except ValueError:
            # It is free: a program that keeps no records has released it.
            self.table.give_back(at)
            raise
        except BaseException:
            if self._is_mine():
                # A signal came before the release.
                self.words[at] = self.holding
                self.at = at
            else:
                self.table.give_back(at)
            raise

    def __exit__(self, kind=None, error=None, trace=None):
        self.release()

    def release_other(self):
        # Otherwise it is an error of the caller, which multiprocessing reports.
        if self._is_zero():
            self.table.clear_holder(self.number)
        post(self)
        at, self.at = self.at, None
        if at is not None:
            self.table.give_back(at)


class RecordedOnce(Recorded):
    """The semaphore of an RLock, of which only the first acquisition and the last release count."""

    __slots__ = ()

    def acquire(self, block=True, timeout=None):
        return take(self, block, timeout) if self._is_mine() else Recorded.acquire(self, block, timeout)

    __enter__ = acquire

    def release(self):
        return Recorded.release(self) if self._is_mine() and self._count() == 1 else post(self)


class Waits:
    """The records of the waits for a condition in this process. Each is on the semaphore that the waits sleep on."""

    def __init__(self, table, number):
        self.table, self.waiting, self.records = table, number << 32 | ONE | WAITING, []
        recorded.append(weakref.ref(self, recorded.remove))

    def begin(self):
        at = self.table.unused()
        self.records.append(at)
        self.table.words[at] = self.waiting

    def end(self):
        # Which of the waits ends is not told, and makes no difference.
        if self.records:
            self.table.give_back(self.records.pop())

    def forget(self):
        self.records.clear()


class Sleeping(SemLock):
    """The semaphore that counts the waits: a wait posts it as it begins."""

    __slots__ = ('waits',)

    def release(self):
        self.waits.begin()
        post(self)


class Woken(SemLock):
    """The semaphore that counts the waits that have ended: a wait posts it as it ends."""

    __slots__ = ('waits',)

    def release(self):
        self.waits.end()
        post(self)


# Weak references to all that has records, and the tables by their families.
recorded, tables = [], {}


def table_of(family):
    table = tables.get(family)
    if table is None:
        table = tables[family] = Table(family)
    return table


def address_of(lock):
    """The family and the number of a lock's semaphore; None for one that another program has made."""
    match = re.match(r'/mp-([a-z0-9]{1,16})-([a-z0-9]{1,7})$', lock._semlock.name or '')
    return match and (match.group(1), int(match.group(2), 36))


def replace(lock, kind):
    """Gives a lock a semaphore of another class, which is the same semaphore."""
    plain = lock._semlock
    lock._semlock = kind._rebuild(plain.handle, plain.kind, plain.maxvalue, plain.name)
    lock._make_methods()
    return lock._semlock


def restored(lock, state, restore=synchronize.SemLock.__setstate__):
    """Replaces SemLock.__setstate__ of multiprocessing."""
    restore(lock, state)
    address = address_of(lock)
    # Any process may post a semaphore that is not a lock, so no process is its holder.
    if address is not None and isinstance(lock, (synchronize.Lock, synchronize.RLock)):
        kind = RecordedOnce if isinstance(lock, synchronize.RLock) else Recorded
        replace(lock, kind).record(table_of(address[0]), address[1])


def restored_condition(condition, state, restore=synchronize.Condition.__setstate__):
    """Replaces Condition.__setstate__ of multiprocessing."""
    restore(condition, state)
    address = address_of(condition._wait_semaphore)
    if address is not None:
        waits = Waits(table_of(address[0]), address[1])
        for lock, kind in (condition._sleeping_count, Sleeping), (condition._woken_count, Woken):
            replace(lock, kind).waits = waits


def forked():
    """A forked process holds what its parent holds, by the parent's records."""
    for table in tables.values():
        table.reset()
    for reference in recorded:
        part = reference()
        if part is not None:
            part.forget()


class Sources:
    """In a pickle: what a process runs that loads it."""

    def __reduce__(self):
        names = {'folder': folder, 'sources': sources, 'tracker': node_tracker()}
        return exec, ('for source in sources: exec(source)', names)


def prepare(name, prepare=spawn.get_preparation_data):
    """Replaces spawn.get_preparation_data of multiprocessing. The process that is spawned ignores the key, but loads its value."""
    data = prepare(name)
    data['node-multiprocessing'] = Sources()
    return data


synchronize.SemLock.__setstate__ = restored
synchronize.Condition.__setstate__ = restored_condition
spawn.get_preparation_data = prepare
os.register_at_fork(after_in_child=forked)
