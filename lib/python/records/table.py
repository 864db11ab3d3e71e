# SPDX-License-Identifier: MIT
#
# A Python child that was given locks or queues runs this and the other files of this folder, in one namespace, before it loads
# its arguments (../spawn_child.py). From then on it writes the records that Node members write: which locks it is taking,
# holding and releasing, in the holder table of the locks' family (native/semaphores/holder_table.h), and where in the stream of
# a queue it is. What a killed process leaves is set right by these records.
#
# The objects stay those of multiprocessing, and so do their states in pickles. The processes that the child starts run the same
# source: spawned ones get it with the data that prepares them, forked ones inherit it.
#
# Python has no compare-and-swap, so a part of each table belongs to Python members, and its records are claimed under a lock on
# the file. A record belongs to one acquisition: while a thread tries to take a lock, holds it, or releases it.
#
# The pickle provides `folders`, where the tables are; `tracker`, the descriptor of the resource tracker if that is a Node process,
# which looks after the locks of processes that end; and `sources`, the texts of the files.
# globals: folders, sources, tracker
import errno, fcntl, itertools, mmap, os, re, threading
from multiprocessing import resource_tracker, spawn

# The layout of the table. Words have 8 bytes; a record has 4: state, start time, pid namespace, pid and tag.
MAGIC, WORDS, FIRST, END = 0x31726c6864706d6e, 8192, 4096 + 8, 8192
IDLE, HOLDING, WAITING, RESERVED, SLEEPING, TAKING, RELEASING, COUNTING = 0, 1, 2, 9, 10, 13, 14, 15
# Of what is counted, which is no lock.
LEFT, NOTES = 4, 13
PHASE, ONE = 0xf, 1 << 4
# Turns have the bits above the phase. Python calculates faster with numbers that are shorter than 30 bits.
TURNS = 0x3ffffff0
# The number of no semaphore: a record that was not used yet.
UNUSED = 0xffffffff << 32 | IDLE


def text_of(path):
    with open(path, encoding='latin-1') as file:
        return file.read()


def start_of(pid):
    """When a process started, and whether it has ended: its first thread may be a zombie while others still run."""
    fields = text_of('/proc/%d/stat' % pid).rpartition(')')[2].split()
    return int(fields[19]), fields[0] in 'ZX' and int(fields[17]) < 2


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
            self.start = start_of(self.pid)[0]
            self.space = int(re.sub(r'\D', '', os.readlink('/proc/self/ns/pid')))
        except OSError:
            # Where the system does not tell, no process can tell whether this one has ended.
            self.start = self.space = 0

    def has_ended(self, pid, start, space):
        """Whether another process has certainly ended."""
        if space == 0 or space != self.space:
            return False
        try:
            found, ended = start_of(pid)
        except (FileNotFoundError, ProcessLookupError):
            return True
        except OSError:
            return False
        return ended or found != start


def open_file(file):
    """Opens a file of a family, which is in one of the folders."""
    for folder in folders[:-1]:
        try:
            return os.open(os.path.join(folder, file), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            pass
    return os.open(os.path.join(folders[-1], file), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)


def open_block(file, size, magic):
    """Maps a file that the members of a family share. Returns its descriptor, and its words."""
    fd = open_file(file)
    try:
        if os.fstat(fd).st_size < size:
            raise OSError(errno.EIO, 'The file was truncated', file)
        words = memoryview(mmap.mmap(fd, size)).cast('Q')
        if words[0] != magic:
            raise OSError(errno.EPROTO, 'The file is that of another version of node-multiprocessing', file)
        return fd, words
    except BaseException:
        os.close(fd)
        raise


class Table:
    """The holder table of a family, and the records of this process in it. A record is named by the index of its state, whose
    lower half is `low[2 * index]`."""

    def __init__(self, family):
        self.fd, self.words = open_block(family + '.holders', 8 * WORDS, MAGIC)
        self.low = self.words.cast('B').cast('I')
        # Differs between the acquisitions of this process: a record tells even after the release that there was one.
        self.turn = itertools.chain.from_iterable(itertools.repeat(range(16, TURNS, 16))).__next__
        self.reset()
        # A process that has no record at all must not get a lock.
        self.free = [self.claim()]

    def reset(self):
        """For a new process: it has no record yet."""
        self.owner, self.claiming, self.free, self.is_known = Owner(), threading.Lock(), [], False

    def record_for(self, number):
        """A record of this process for a semaphore. Returns the index of the lower half of its state."""
        try:
            index = self.free.pop()
        except IndexError:
            index = self.claim()
        self.words[index] = number << 32 | IDLE
        return 2 * index

    def claim(self):
        """Takes a record for this process."""
        # Locks on files exclude processes, not threads.
        with self.claiming:
            fcntl.lockf(self.fd, fcntl.LOCK_EX)
            try:
                index = self.find_free()
                self.words[index + 1] = self.owner.start
                self.words[index + 2] = self.owner.space
                self.words[index + 3] = self.owner.pid
                self.words[index] = UNUSED
            finally:
                fcntl.lockf(self.fd, fcntl.LOCK_UN)
            if not self.is_known:
                self.is_known = True
                tell_tracker('MEMBER:%d:pid' % self.owner.pid)
            return index

    def find_free(self):
        words = self.words
        for at in range(FIRST, END, 4):
            if words[at] == 0:
                return at
        for at in range(FIRST, END, 4):
            if words[at] & PHASE == IDLE and self.owner.has_ended(words[at + 3] & 0xffffffff, words[at + 1], words[at + 2]):
                return at
        raise OSError(errno.ENOSPC, 'Too many locks are held or waited for by Python processes of this family')

    def clear_holder(self, number):
        """For a process that releases a lock which another process or object has taken."""
        words = self.words
        for at in range(8, END, 4):
            state = words[at]
            if state >> 32 == number and state & PHASE == HOLDING:
                words[at] = state & ~PHASE


def address_of(lock):
    """The family and the number of a lock's semaphore; None for one that another program has made."""
    match = re.match(r'/mp-([a-z0-9]{1,16})-([a-z0-9]{1,7})$', lock._semlock.name or '')
    return match and (match.group(1), int(match.group(2), 36))


# Weak references to all that has records, and the tables by their families.
recorded, tables = [], {}


def table_of(family):
    table = tables.get(family)
    if table is None:
        table = tables[family] = Table(family)
    return table


def forked():
    """A forked process holds what its parent holds, by the parent's records."""
    for table in tables.values():
        table.reset()
    for reference in list(recorded):
        part = reference()
        if part is not None:
            part.forget()


class Sources:
    """In a pickle: what a process runs that loads it."""

    def __reduce__(self):
        names = {'folders': folders, 'sources': sources, 'tracker': node_tracker()}
        return exec, ('for source in sources: exec(source)', names)


def prepare(name, prepare=spawn.get_preparation_data):
    """Replaces spawn.get_preparation_data of multiprocessing. The process that is spawned ignores the key, but loads its value."""
    data = prepare(name)
    data['node-multiprocessing'] = Sources()
    return data


spawn.get_preparation_data = prepare
os.register_at_fork(after_in_child=forked)
