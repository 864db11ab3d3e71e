# SPDX-License-Identifier: MIT
#
# The stream record of a queue, as native/recovery/stream_layout.h and stream_repair.h have it: where in the stream of bytes the
# members are, and how the numbers are set right after the death of a member. docs/internals.md explains why they suffice.
# globals: open_block
import errno, fcntl, os, select, struct, termios

# The words of a stream record. Bit 63 of an end marks an item whose writer has died inside of it.
UNRECORDED, WRITTEN, WRITE_INTENT, HEAD, NOTING, LOST_BY_WRITERS, WRITERS_REPAIRED = 1, 8, 9, 10, 11, 12, 13
READ, READ_INTENT, TAIL, DROPPED, LOST_BY_READERS, READERS_REPAIRED = 16, 17, 18, 19, 20, 21
IN_OTHER_HANDS, FINISHED, LEFT_ITEMS, LEFT_AFTER, FOLDING, ENDS = 27, 28, 29, 30, 31, 32
# This one has half a word.
FINISHED_ELSEWHERE = 53
ENTRIES, TORN = 4096, 1 << 63
# The kernel moves so many bytes whole or not at all.
PIPE_BUF = select.PIPE_BUF


class Stream:
    """The record of one queue."""

    def __init__(self, name):
        _, family, number = name.split('-')
        fd, self.words = open_block('%s.queue.%s' % (family, number), 8 * (ENDS + ENTRIES), 0x316d72747371706d)
        os.close(fd)
        self.low = self.words.cast('B').cast('I')
        # Then lost items are counted with the unfinished ones.
        self.is_joinable = False

    def end_of(self, item):
        return self.words[ENDS + item % ENTRIES] & ~TORN

    def start_of(self, item):
        return self.words[ENDS + (item - 1) % ENTRIES] & ~TORN

    def count_lost(self, items, word):
        """`items` that were put can no longer be got."""
        if not self.is_joinable:
            self.words[word] += items

    # With the lock for writing.

    def writer_rests(self):
        words = self.words
        return not words[WRITE_INTENT] and not words[NOTING] and words[WRITTEN] == self.start_of(words[HEAD])

    def settle_noting(self):
        """See Accounts."""

    def take_back(self, written):
        """The true number of bytes written. Returns how many items were noted and not begun: they are taken back."""
        words = self.words
        noted = head = words[HEAD]
        while head > words[TAIL] and self.start_of(head - 1) >= written and self.end_of(head - 1) > written:
            head -= 1
        words[HEAD] = head
        words[WRITTEN] = written
        words[WRITE_INTENT] = 0
        return noted - head

    def tear(self):
        """Nothing more is written of the item that was begun, if there is one."""
        words = self.words
        head = words[HEAD]
        if words[WRITTEN] != self.start_of(head):
            words[ENDS + (head - 1) % ENTRIES] = words[WRITTEN] | TORN

    def set_written(self, place):
        self.settle_noting()
        not_begun = self.take_back(place[1])
        self.tear()
        self.words[WRITERS_REPAIRED] += 1
        self.count_lost(not_begun, LOST_BY_WRITERS)

    # With the lock for reading.

    def reader_rests(self):
        words = self.words
        return not words[READ_INTENT] and words[READ] == self.start_of(words[TAIL])

    def set_read(self, place):
        words = self.words
        words[READ] = place[0]
        words[READ_INTENT] = 0
        passed = 0
        while words[HEAD] > words[TAIL] and self.end_of(words[TAIL]) <= place[0]:
            self.drop()
            passed += 1
        words[READERS_REPAIRED] += 1
        self.count_lost(passed, LOST_BY_READERS)

    def drop(self):
        self.words[DROPPED] += 1
        self.words[TAIL] += 1


def bytes_in(fd):
    """How many bytes are in a pipe."""
    return struct.unpack('i', fcntl.ioctl(fd, termios.FIONREAD, b'\0\0\0\0'))[0]


def look(stream, fd):
    """The possible pairs of how many bytes were really read and written; None if that changes at this moment."""
    words = stream.words
    numbers = WRITTEN, WRITE_INTENT, HEAD, READ, READ_INTENT, TAIL
    before = [words[i] for i in numbers]
    found = bytes_in(fd)
    if before != [words[i] for i in numbers]:
        return None
    written, write_intent, head, read, read_intent, tail = before
    last = stream.start_of(head)

    def fits(truth):
        total = truth + found
        if not written <= total <= min(written + write_intent, last):
            return False
        return write_intent > PIPE_BUF or total in (written, written + write_intent)

    # A read of several items begins with the item at the tail, and any other one ends with it. Where the end of that item is
    # passed, the read was counted already.
    limit = read if head == tail else last if read == stream.start_of(tail) else stream.end_of(tail)
    after = read + read_intent
    return [(truth, truth + found) for truth in {read, after if after <= limit else read} if fits(truth)]


def boundaries(stream, place):
    """Where items begin and end in the pipe, counted from its first byte."""
    read, written = place
    starts = map(stream.start_of, range(stream.words[TAIL], stream.words[HEAD] + 1))
    return [start - read for start in starts if read <= start <= written]


def repair(stream, fd, other, put_right, patience=0):
    """Sets the numbers of one side right, whose lock this thread has. False if that is undecided: a member moves bytes at this
    moment, or both sides are to be set right, and `other`, the lock of the other side, is not free for so many seconds."""
    places = look(stream, fd)
    if places is None:
        return False
    if len(places) > 1:
        # Two members have died in the middle of a call: with both locks nothing changes any more.
        if not other.acquire(patience > 0, patience):
            return False
        try:
            repair_both(stream, fd)
        finally:
            other.release()
    elif places:
        put_right(places[0])
    else:
        raise OSError(errno.EPROTO, 'A process that keeps no records has used the pipe of the queue')
    return True


def repair_both(stream, fd):
    places = look(stream, fd) or []
    found = [boundaries(stream, place) for place in places]
    # If no item ends in the pipe, all that is there belongs to one item, which is torn and dropped by either answer.
    if len(places) > 1 and found[0] != found[1] and any(found[0] + found[1]):
        # The calls moved as many bytes in other items.
        data = peek(fd, places[0][1] - places[0][0])
        places = [place for place in places if headers_fit(stream, place, data)]
        if len(places) > 1:
            places = []
    if not places:
        raise OSError(errno.EPROTO, 'The members at both ends of the queue have died, and nothing tells what they had done')
    if not stream.writer_rests():
        stream.set_written(places[0])
    if not stream.reader_rests():
        stream.set_read(places[0])


def peek(fd, size):
    """A copy of the bytes in a pipe, which stay there. Nothing where the system cannot make it."""
    ends = []
    try:
        import ctypes
        tee = ctypes.CDLL(None).tee
        ends.append(os.open('/proc/self/fd/%d' % fd, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        ends += os.pipe()
        copied = tee(ends[0], ends[2], size, 2)  # SPLICE_F_NONBLOCK
        return os.read(ends[1], copied) if copied > 0 else b''
    except (ImportError, AttributeError, OSError):
        return b''
    finally:
        for end in ends:
            os.close(end)


def headers_fit(stream, place, data):
    """Whether the items that are in the pipe by this answer have the lengths that their headers say."""
    words = stream.words
    for item in range(words[TAIL], words[HEAD]):
        start = stream.start_of(item)
        header = data[start - place[0] :][:12] if place[0] <= start < place[1] else b''
        if len(header) < 12 or words[ENDS + item % ENTRIES] & TORN:
            continue
        size, = struct.unpack_from('!i', header)
        size = size + 4 if size != -1 else struct.unpack_from('!Q', header, 4)[0] + 12
        if start + size != stream.end_of(item):
            return False
    return True
