# SPDX-License-Identifier: MIT
#
# The two ends of a queue's pipe. Their methods for reading and writing are called with the lock of that end. A read never asks
# for more than there is, and a write for no more than there is room for, so that neither waits. A process waits in poll(), with
# no read or write in flight of which the others would not know the outcome.
# globals: DROPPED, ENDS, ENTRIES, HEAD, NOTING, PIPE_BUF, READ, READ_INTENT, SLICE, TAIL, TORN, UNRECORDED, WRITE_INTENT, WRITTEN
# globals: bytes_in, repair
import errno, fcntl, io, os, select, struct, time, weakref
from multiprocessing import connection

# So many items can be noted. The end of the one before the first of them is needed, too.
MOST = ENTRIES - 1
PAGE = 4096
# How often a reader that waits looks after what members have left that have died, in milliseconds.
LOOK_MS = 200
# How long a reader that has something to set right waits for the writers' lock before it looks again, in seconds.
PATIENCE = 0.01
# With its header, such an item is moved whole or not at all.
SMALL = PIPE_BUF - 4

pack_int = struct.Struct('!i').pack


class End:
    """One end of a queue's pipe. `other` is the lock of the other end."""

    def __init__(self, conn, accounts, lock, other):
        self.conn, self.fd = weakref.ref(conn), conn.fileno()
        self.accounts, self.stream, self.words = accounts, accounts.stream, accounts.stream.words
        self.lock, self.other, self.slots, self.items = lock, other, accounts.slots, accounts.items
        self.is_counted = self.slots is not None or self.items is not None
        self.poller = select.poll()


class Reader(End):
    def __init__(self, conn, *args):
        End.__init__(self, conn, *args)
        self.poller.register(self.fd, select.POLLIN)

    def recv_bytes(self, maxsize=None):
        """Replaces Connection._recv_bytes."""
        words = self.words
        if self.items is not None:
            # What can fail comes before the item leaves the pipe.
            self.items.in_hand.claim()
        while not words[UNRECORDED]:
            tail, read = words[TAIL], words[READ]
            there = words[WRITTEN] - read
            if there <= 0 and not words[READ_INTENT] and self.await_item():
                # The writer may not have said yet that it has written. A small item is there as a whole if any byte is.
                there = PIPE_BUF
            # The end may change when the writer dies. Bytes that follow are there only after that.
            size = words[ENDS + tail % ENTRIES] - read
            # A whole item is there, and nothing is to be set right.
            if 0 < size <= there and read == words[ENDS + (tail - 1) % ENTRIES] and not words[READ_INTENT] and tail < words[HEAD]:
                words[READ_INTENT] = size
                data = os.read(self.fd, size)
                words[READ] = read + size
                words[READ_INTENT] = 0
                if self.slots is None and self.items is None:
                    words[TAIL] = tail + 1
                else:
                    self.passed(True)
                return io.BytesIO(data[4:] if data[0] < 128 else data[12:])
            self.prepare()
            data = self.item(True)
            if data is not None:
                return io.BytesIO(data)
        return connection.Connection._recv_bytes(self.conn(), maxsize)

    def prepare(self):
        stream, words = self.stream, self.words
        # A reader keeps its lock and waits for that of the other side. Writers give way.
        while words[READ_INTENT]:
            repair(stream, self.fd, self.other, stream.set_read, PATIENCE)
        # A reader has died inside of this item, or when it had read some items whole.
        while not stream.reader_rests():
            if words[READ] < stream.end_of(words[TAIL]):
                self.item(False)
            else:
                self.dropped()

    def item(self, wanted):
        """Reads an item. None if it is not wanted, or if there is none: its writer has died, or keeps no records."""
        words, parts, tail = self.words, [], self.words[TAIL]
        position = ENDS + tail % ENTRIES
        while True:
            read = words[READ]
            there = words[WRITTEN] - read
            if there <= 0:
                there = self.await_bytes(bool(parts) or not wanted)
            if tail == words[HEAD]:
                return self.unnoted()
            # The end may change when the writer dies. Bytes that follow are there only after that.
            end = words[position] & ~TORN
            most = min(there, end - read)
            if most > 0:
                words[READ_INTENT] = most
                part = os.read(self.fd, most)
                words[READ] = read = read + len(part)
                words[READ_INTENT] = 0
                if wanted:
                    parts.append(part)
            if read >= end:
                break
        if wanted and not words[position] & TORN:
            self.passed(True)
            return payload(parts)
        self.dropped()
        return None

    def dropped(self):
        self.words[DROPPED] += 1
        self.passed(False)
        self.accounts.finish_lost(1)

    def passed(self, is_got):
        """The item has left the pipe."""
        words = self.words
        words[TAIL] += 1
        if is_got and self.items is not None:
            self.items.in_hand.add(1)
        if self.slots is not None:
            self.slots.return_slot()

    def await_item(self):
        """Waits for bytes between two items. As long as it does so with the lock, no other member can look after the accounts."""
        while True:
            found = self.poller.poll(LOOK_MS)
            if found:
                # Nothing, if there are no bytes and no writers.
                return found[0][1] & select.POLLIN
            self.accounts.check()

    def await_bytes(self, inside):
        """Waits for bytes: how many there are. 0 if there are none, but the end of the item may have changed."""
        found = self.poller.poll(LOOK_MS) if inside else [self.await_item()]
        if not found:
            self.look_after_writer()
        there = bytes_in(self.fd)
        if there == 0 and found:
            if inside:
                raise OSError('got end of file during message')
            raise EOFError
        return there

    def look_after_writer(self):
        """If the writer of this item has died, no other member may come to write."""
        stream = self.stream
        if not stream.writer_rests() and self.other.acquire(False):
            try:
                if not stream.writer_rests():
                    repair(stream, self.fd, self.lock, stream.set_written)
            finally:
                self.other.release()

    def unnoted(self):
        if not self.words[UNRECORDED]:
            raise OSError(errno.EPROTO, 'A process that keeps no records has written to the queue')

    def poll(self, timeout=0.0):
        """Replaces Queue._poll: an item whose writer has died is none. Only a caller with the lock can drop it."""
        end = None if timeout is None else time.monotonic() + max(timeout, 0)
        words = self.words
        while True:
            left = SLICE if end is None else min(SLICE, end - time.monotonic())
            if not self.conn().poll(max(0, left)):
                if left < SLICE:
                    return False
                if self.lock._is_mine():
                    self.accounts.check()
                continue
            if words[UNRECORDED] or not self.lock._is_mine():
                return True
            self.prepare()
            if words[HEAD] > words[TAIL] and words[ENDS + words[TAIL] % ENTRIES] & TORN:
                self.item(True)
            elif self.poller.poll(0):
                return True


def payload(parts):
    """The bytes of an item without its header."""
    first = parts[0] if len(parts[0]) >= 12 or len(parts) == 1 else b''.join(parts)
    rest = first[4:] if first[0] < 128 else first[12:]
    if first is not parts[0] or len(parts) == 1:
        return rest
    parts[0] = rest
    return b''.join(parts)


class Writer(End):
    def __init__(self, conn, *args):
        End.__init__(self, conn, *args)
        self.poller.register(self.fd, select.POLLOUT)
        try:
            self.pages = fcntl.fcntl(self.fd, 1032) // PAGE  # F_GETPIPE_SZ
        except OSError:
            self.pages = 1
        self.room = (self.pages - 3) * (PAGE // 2)

    def send_bytes(self, buf):
        """Replaces Connection._send_bytes."""
        stream, words = self.stream, self.words
        if words[UNRECORDED]:
            return connection.Connection._send_bytes(self.conn(), buf)
        size = len(buf)
        header = pack_int(size) if size <= 0x7fffffff else struct.pack('!iQ', -1, size)
        head, begin = words[HEAD], words[WRITTEN]
        # It fits into the pipe for certain, and nothing is to be set right.
        if (
            size < SMALL
            and begin + size < words[READ] + self.room
            and begin == words[ENDS + (head - 1) % ENTRIES]
            and not words[WRITE_INTENT]
            and not words[NOTING]
            and head - words[TAIL] < MOST
        ):
            data = header + buf
            end = begin + size + 4
            if self.is_counted:
                self.note(head, end)
            else:
                words[ENDS + head % ENTRIES] = end
                words[HEAD] = head + 1
            try:
                words[WRITE_INTENT] = size + 4
                os.write(self.fd, data)
                words[WRITTEN] = end
                words[WRITE_INTENT] = 0
            except OSError:
                self.give_up(head, begin)
                raise
            return
        while not (stream.writer_rests() or repair(stream, self.fd, self.other, stream.set_written)):
            # A reader that has died, too, was followed by one that waits for this lock.
            self.lock.release()
            try:
                time.sleep(0.001)
            finally:
                self.lock.acquire()
        head, begin = words[HEAD], words[WRITTEN]
        while head - words[TAIL] >= MOST:
            # Nothing that Python can wait for tells when a reader has passed an item.
            time.sleep(0.001)
        self.note(head, begin + len(header) + size)
        try:
            if size <= 16384:
                self.write(header + buf)
            else:
                self.write(header)
                self.write(buf)
        except OSError:
            self.give_up(head, begin)
            raise

    def write(self, data):
        words, size = self.words, len(data)
        view = data if size <= PIPE_BUF else memoryview(data)
        while size > 0:
            written = words[WRITTEN]
            # Two pages that follow each other have more than the bytes of one. The first page may be nearly read.
            room = (self.pages - 2 - (written - words[READ]) // (PAGE // 2)) * PAGE
            if room < PIPE_BUF:
                self.poller.poll()
                room = PIPE_BUF
            part = view if size <= room else view[:room]
            words[WRITE_INTENT] = len(part)
            moved = os.write(self.fd, part)
            words[WRITTEN] = written + moved
            words[WRITE_INTENT] = 0
            size -= moved
            if size > 0:
                view = view[moved:]

    def note(self, head, end):
        """The item's slot is that of an item in the pipe from now on."""
        words, position = self.words, ENDS + head % ENTRIES
        if self.items is not None:
            if self.slots is not None:
                self.slots.count.add(-1)
            self.items.accepted.note(words, head, position, end)
        elif self.slots is not None:
            # A slot is taken for each item that is accepted.
            self.slots.count.note(words, head, position, end)
        else:
            words[position] = end
            words[HEAD] = head + 1

    def give_up(self, head, begin):
        """The write has failed, and has moved nothing."""
        words = self.words
        words[WRITE_INTENT] = 0
        if words[WRITTEN] == begin:
            words[HEAD] = head
            if self.slots is not None:
                self.slots.count.add(1)
            if self.items is not None:
                self.items.accepted.add(1)
        else:
            self.stream.tear()
            if self.slots is not None:
                # The slot is that of the item in the pipe.
                self.slots.returned.append(True)
