# SPDX-License-Identifier: MIT
#
# Queues, as table.py explains. The two Connections of a queue get other methods for reading and writing, which are called with
# the lock of that end. A read never asks for more than there is, and a write for no more than there is room for, so that neither
# waits. A process waits in poll(), with no read or write in flight of which the others would not know the outcome.
# globals: COUNTING, DROPPED, ENDS, ENTRIES, HEAD, NOT_RETURNED, PIPE_BUF, READ, READ_INTENT, RESERVED, RETURNING, Semaphore, Stream, TAIL
# globals: TORN, TURNS
# globals: UNRECORDED, WRITE_INTENT, WRITTEN, address_of, bytes_in, recorded, repair, replace, sleep_until_taken, table_of
import errno, fcntl, io, os, select, struct, threading, time, weakref
from multiprocessing import connection, queues
from multiprocessing.synchronize import SEM_VALUE_MAX

# So many items can be noted. The end of the one before the first of them is needed, too.
MOST = ENTRIES - 1
PAGE = 4096
# How often a reader inside of an item looks whether its writer has died, in milliseconds.
LOOK_MS = 500
# With its header, such an item is moved whole or not at all.
SMALL = PIPE_BUF - 4
MANY = 0xfffff

pack_int = struct.Struct('!i').pack


def counted_slots(semaphore, table, number, stream):
    """The slots of a queue. A record of the process says how many it has taken for items that are not in the pipe."""
    take, post, thread = semaphore.acquire, semaphore.release, threading.get_ident
    low, turn = table.low, table.turn
    lock, at, count = threading.Lock(), table.record_for(number), 0
    # The threads that have returned the slot of an item that they got. multiprocessing does that once more.
    returned = set()

    def say(phase, slots):
        # The turn has 8 bits here.
        low[at] = turn() << 20 & 0xff000000 | min(slots, MANY) << 4 | phase

    def acquire(block=True, timeout=None):
        nonlocal count
        with lock:
            say(COUNTING, count + 1)
            try:
                if take(False, timeout):
                    count += 1
                    return True
            finally:
                say(RESERVED, count)
        return bool(block) and wait(timeout)

    def wait(timeout):
        index = sleepers.pop() if sleepers else table.record_for(number)
        try:
            got = sleep_until_taken(take, low, index, turn() & TURNS, timeout)
            if got:
                add(1)
            return got
        finally:
            low[index] = turn() & TURNS
            sleepers.append(index)

    def add(change):
        """For items that enter the pipe, or have not entered it after all."""
        nonlocal count
        with lock:
            count += change
            say(RESERVED, count)

    def return_slot():
        """An item has left the pipe."""
        returned.add(thread())
        try:
            post()
        except ValueError:
            pass  # More free slots than the queue has are the error of another member.

    def release():
        nonlocal count
        if thread() in returned:
            returned.discard(thread())
        elif stream.words[UNRECORDED]:
            post()
        else:
            # An item cannot be put after all.
            with lock:
                say(COUNTING, count)
                post()
                count -= 1
                say(RESERVED, count)

    def forget():
        nonlocal lock, at, count
        lock, at, count = threading.Lock(), table.record_for(number), 0
        returned.clear()
        sleepers.clear()

    sleepers = []
    slots = Semaphore(semaphore, acquire, release)
    slots.add, slots.return_slot, slots.returned, slots.forget = add, return_slot, returned, forget
    recorded.append(weakref.ref(slots, recorded.remove))
    return slots


class End:
    """One end of a queue's pipe. `other` is the lock of the other end."""

    def __init__(self, conn, stream, lock, other, slots):
        self.conn, self.fd = weakref.ref(conn), conn.fileno()
        self.stream, self.words, self.lock, self.other, self.slots = stream, stream.words, lock, other, slots
        self.poller = select.poll()


class Reader(End):
    def __init__(self, conn, *args):
        End.__init__(self, conn, *args)
        self.poller.register(self.fd, select.POLLIN)

    def recv_bytes(self, maxsize=None):
        """Replaces Connection._recv_bytes."""
        words = self.words
        while not words[UNRECORDED]:
            tail, read = words[TAIL], words[READ]
            there = words[WRITTEN] - read
            if there <= 0 and not words[READ_INTENT]:
                self.poller.poll()
                # The writer may not have said yet that it has written.
                there = words[WRITTEN] - read or bytes_in(self.fd)
            # The end may change when the writer dies. Bytes that follow are there only after that.
            size = words[ENDS + tail % ENTRIES] - read
            # A whole item is there, and nothing is to be set right.
            if 0 < size <= there and read == words[ENDS + (tail - 1) % ENTRIES] and not words[READ_INTENT] and tail < words[HEAD]:
                words[READ_INTENT] = size
                data = os.read(self.fd, size)
                words[READ] = read + size
                words[READ_INTENT] = 0
                if self.slots is None:
                    words[TAIL] = tail + 1
                else:
                    self.passed()
                return io.BytesIO(data[4:] if data[0] < 128 else data[12:])
            self.prepare()
            data = self.item(True)
            if data is not None:
                return io.BytesIO(data)
        return connection.Connection._recv_bytes(self.conn(), maxsize)

    def prepare(self):
        stream, words = self.stream, self.words
        if words[READ_INTENT]:
            repair(stream, self.fd, self.other, stream.set_read)
        # A reader has died inside of this item.
        while not stream.reader_rests():
            self.item(False)

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
            self.passed()
            return payload(parts)
        words[DROPPED] += 1
        self.passed()
        self.stream.count_lost(1)
        return None

    def passed(self):
        """The item has left the pipe."""
        words = self.words
        if words[RETURNING]:
            # A reader has died at this place. Whether it had returned the slot is not known.
            words[NOT_RETURNED] += 1
        words[RETURNING] = 1
        words[TAIL] += 1
        if self.slots is not None:
            self.slots.return_slot()
        words[RETURNING] = 0

    def await_bytes(self, inside):
        """Waits for bytes: how many there are. 0 if there are none, but the end of the item may have changed."""
        found = self.poller.poll(LOOK_MS if inside else None)
        there = bytes_in(self.fd)
        if there == 0 and found:
            if inside:
                raise OSError('got end of file during message')
            raise EOFError
        return there

    def unnoted(self):
        if not self.words[UNRECORDED]:
            raise OSError(errno.EPROTO, 'A process that keeps no records has written to the queue')

    def poll(self, timeout=0.0):
        """Replaces Queue._poll: an item whose writer has died is none. Only a caller with the lock can drop it."""
        end = None if timeout is None else time.monotonic() + max(timeout, 0)
        words = self.words
        while self.conn().poll(None if end is None else max(0, end - time.monotonic())):
            if words[UNRECORDED] or not self.lock._is_mine():
                return True
            self.prepare()
            if words[HEAD] > words[TAIL] and words[ENDS + words[TAIL] % ENTRIES] & TORN:
                self.item(True)
            elif self.poller.poll(0):
                return True
        return False


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
            and head - words[TAIL] < MOST
        ):
            data = header + buf
            if self.slots is not None:
                self.slots.add(-1)
            words[ENDS + head % ENTRIES] = end = begin + size + 4
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
        if not stream.writer_rests():
            repair(stream, self.fd, self.other, stream.set_written)
        head, begin = words[HEAD], words[WRITTEN]
        while head - words[TAIL] >= MOST:
            # Nothing that Python can wait for tells when a reader has passed an item.
            time.sleep(0.001)
        if self.slots is not None:
            self.slots.add(-1)
        words[ENDS + head % ENTRIES] = begin + len(header) + size
        words[HEAD] = head + 1
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

    def give_up(self, head, begin):
        """The write has failed, and has moved nothing."""
        words = self.words
        words[WRITE_INTENT] = 0
        if words[WRITTEN] == begin:
            words[HEAD] = head
            if self.slots is not None:
                self.slots.add(1)
        else:
            self.stream.tear()
            if self.slots is not None:
                # The slot is that of the item in the pipe.
                self.slots.returned.add(threading.get_ident())


def record_queue(queue, slots):
    """Records what a queue object does from now on."""
    address = address_of(queue._rlock)
    if address is None:
        return
    table = table_of(address[0])
    stream = Stream(queue._rlock._semlock.name)
    counted = None
    # Without a limit, no slot is missed.
    if slots is not None and slots._semlock.maxvalue < SEM_VALUE_MAX:
        replace(slots, counted_slots, table, address_of(slots)[1], stream)
        counted = slots._semlock
        stream.has_slots = True
    rlock, wlock = queue._rlock._semlock, queue._wlock._semlock
    reader = Reader(queue._reader, stream, rlock, wlock, counted)
    writer = Writer(queue._writer, stream, wlock, rlock, counted)
    queue._reader._recv_bytes, queue._writer._send_bytes = reader.recv_bytes, writer.send_bytes
    queue._poll = reader.poll
    return stream


def restored_queue(queue, state, restore=queues.Queue.__setstate__):
    """Replaces Queue.__setstate__ of multiprocessing."""
    restore(queue, state)
    queue._stream = record_queue(queue, queue._sem)


def restored_joinable(queue, state, restore=queues.JoinableQueue.__setstate__):
    """Replaces JoinableQueue.__setstate__ of multiprocessing."""
    restore(queue, state)
    if queue._stream is not None:
        queue._stream.count_no_unfinished(queue._unfinished_tasks)


def restored_simple(queue, state, restore=queues.SimpleQueue.__setstate__):
    """Replaces SimpleQueue.__setstate__ of multiprocessing."""
    restore(queue, state)
    record_queue(queue, None)


queues.Queue.__setstate__ = restored_queue
queues.JoinableQueue.__setstate__ = restored_joinable
queues.SimpleQueue.__setstate__ = restored_simple
