# SPDX-License-Identifier: MIT
#
# Queues, as table.py explains. The two Connections of a queue get other methods for reading and writing, which are called with
# the lock of that end. A read never asks for more than there is, and a write for no more than there is room for, so that neither
# waits. A process waits in poll(), with no read or write in flight of which the others would not know the outcome.
# globals: ACCEPTED, Accounts, COUNTING, DROPPED, ENDS, ENTRIES, FINISHED_ELSEWHERE, HEAD, IN_OTHER_HANDS, MANY, PIPE_BUF
# globals: READ, READ_INTENT, RESERVED, SLICE, Semaphore, Stream, TAIL, TORN, TURNS, UNRECORDED, WORD, WRITE_INTENT, WRITTEN
# globals: address_of, bytes_in, recorded, repair, replace, sleep_until_taken, table_of
import errno, fcntl, io, os, select, struct, threading, time, weakref
from multiprocessing import connection, queues, util
from multiprocessing.synchronize import SEM_VALUE_MAX

# So many items can be noted. The end of the one before the first of them is needed, too.
MOST = ENTRIES - 1
PAGE = 4096
# How often a reader that waits looks after what members have left that have died, in milliseconds.
LOOK_MS = 200
# With its header, such an item is moved whole or not at all.
SMALL = PIPE_BUF - 4

pack_int = struct.Struct('!i').pack


class Count:
    """How many slots or items this process has, in a record of its own on a semaphore."""

    def __init__(self, table, number):
        self.table, self.low, self.turn, self.number = table, table.low, table.turn, number
        self.forget()
        recorded.append(weakref.ref(self, recorded.remove))

    def forget(self):
        self.lock, self.at, self.count = threading.Lock(), self.table.record_for(self.number), 0

    def say(self, phase, count):
        # The turn has 8 bits here.
        self.low[self.at] = self.turn() << 20 & 0xff000000 | min(count, MANY) << 4 | phase

    def add(self, change):
        with self.lock:
            self.count = max(self.count + change, 0)
            self.say(RESERVED, self.count)

    def change(self, call, before, after):
        """Calls what changes the semaphore. The count is `before` more meanwhile, and `after` more if that has succeeded."""
        with self.lock:
            self.say(COUNTING, self.count + before)
            try:
                done = call()
                if done is not False:
                    self.count = max(self.count + after, 0)
                return done
            finally:
                self.say(RESERVED, self.count)


def counted_slots(semaphore, table, number, stream):
    """The slots of a queue. A record of the process says how many it has taken for items that are not in the pipe."""
    take, post, thread, low, turn = semaphore.acquire, semaphore.release, threading.get_ident, table.low, table.turn
    count, sleepers = Count(table, number), []
    # The threads that have returned the slot of an item that they got. multiprocessing does that once more.
    returned = set()

    def take_now():
        return take(False)

    def acquire(block=True, timeout=None):
        return count.change(take_now, 1, 1) or bool(block) and wait(timeout)

    def wait(timeout):
        index = sleepers.pop() if sleepers else table.record_for(number)
        try:
            got = sleep_until_taken(take, low, index, turn() & TURNS, timeout, slots.look)
            if got:
                count.add(1)
            return got
        finally:
            low[index] = turn() & TURNS
            sleepers.append(index)

    def return_slot():
        """An item has left the pipe."""
        returned.add(thread())
        try:
            post()
        except ValueError:
            pass  # More free slots than the queue has are the error of another member.

    def release():
        if thread() in returned:
            returned.discard(thread())
        elif stream.words[UNRECORDED]:
            post()
        else:
            # An item cannot be put after all.
            count.change(post, 0, -1)

    def forget():
        returned.clear()
        sleepers.clear()

    slots = Semaphore(semaphore, acquire, release)
    slots.add, slots.return_slot, slots.returned, slots.forget = count.add, return_slot, returned, forget
    slots.post, slots.number = post, number
    recorded.append(weakref.ref(slots, recorded.remove))
    return slots


def counted_items(semaphore, table, number, stream, accepted):
    """The unfinished items of a JoinableQueue. Records of the process say how many it has accepted and not begun to write, and how
    many it has got and not finished."""
    take, post = semaphore.acquire, semaphore.release
    in_hand = Count(table, number)

    def acquire(block=True, timeout=None):
        """multiprocessing calls this with the lock of the queue's condition."""
        words, others = stream.words, in_hand.count == 0
        if others:
            stream.low[FINISHED_ELSEWHERE] = 1

        def finish():
            done = take(block, timeout)
            if done and others:
                words[IN_OTHER_HANDS] = words[IN_OTHER_HANDS] - 1 & WORD
            return done

        return in_hand.change(finish, 0, -1)

    items = Semaphore(semaphore, acquire, lambda: accepted.change(post, 1, 1))
    items.accepted, items.in_hand, items.take, items.number = accepted, in_hand, take, number
    return items


def finalizer(in_hand, words):
    """For the end of a process by itself: another member may still finish what this one has got."""

    def give_up():
        words[IN_OTHER_HANDS] = words[IN_OTHER_HANDS] + in_hand.count & WORD
        in_hand.add(-in_hand.count)

    return lambda queue: util.Finalize(queue, give_up, exitpriority=0)


class End:
    """One end of a queue's pipe. `other` is the lock of the other end."""

    def __init__(self, conn, accounts, lock, other):
        self.conn, self.fd = weakref.ref(conn), conn.fileno()
        self.accounts, self.stream, self.words = accounts, accounts.stream, accounts.stream.words
        self.lock, self.other, self.slots, self.items = lock, other, accounts.slots, accounts.items
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
                self.await_item()
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
        if words[READ_INTENT]:
            repair(stream, self.fd, self.other, stream.set_read)
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
        while not self.poller.poll(LOOK_MS):
            self.accounts.check()
        return True

    def await_bytes(self, inside):
        """Waits for bytes: how many there are. 0 if there are none, but the end of the item may have changed."""
        found = self.poller.poll(LOOK_MS) if inside else self.await_item()
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
            and head - words[TAIL] < MOST
        ):
            data = header + buf
            self.pass_on(-1)
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
        self.pass_on(-1)
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

    def pass_on(self, change):
        """The item's slot is that of an item in the pipe from now on."""
        if self.slots is not None:
            self.slots.add(change)
        if self.items is not None:
            self.items.accepted.add(change)

    def give_up(self, head, begin):
        """The write has failed, and has moved nothing."""
        words = self.words
        words[WRITE_INTENT] = 0
        if words[WRITTEN] == begin:
            words[HEAD] = head
            self.pass_on(1)
        else:
            self.stream.tear()
            if self.slots is not None:
                # The slot is that of the item in the pipe.
                self.slots.returned.add(threading.get_ident())


def record_queue(queue, slots, unfinished=None):
    """Records what a queue object does from now on."""
    address = address_of(queue._rlock)
    if address is None:
        return
    table, stream = table_of(address[0]), Stream(queue._rlock._semlock.name)
    counted = items = None
    accepted = address_of(queue._wlock)[1] | ACCEPTED
    # Without a limit, no slot is missed.
    if slots is not None and slots._semlock.maxvalue < SEM_VALUE_MAX:
        replace(slots, counted_slots, table, address_of(slots)[1], stream)
        counted = slots._semlock
    if unfinished is not None:
        replace(unfinished, counted_items, table, address_of(unfinished)[1], stream, Count(table, accepted))
        items = unfinished._semlock
        stream.is_joinable = True
    rlock, wlock = queue._rlock._semlock, queue._wlock._semlock
    accounts = Accounts(table, stream, counted, items, accepted, rlock, wlock, queue._reader.fileno())
    reader, writer = Reader(queue._reader, accounts, rlock, wlock), Writer(queue._writer, accounts, wlock, rlock)
    if counted is not None:
        counted.look = accounts.check
    queue._reader._recv_bytes, queue._writer._send_bytes = reader.recv_bytes, writer.send_bytes
    queue._poll = reader.poll
    return accounts


def restored_queue(queue, state, restore=queues.Queue.__setstate__):
    """Replaces Queue.__setstate__ of multiprocessing."""
    restore(queue, state)
    if not isinstance(queue, queues.JoinableQueue):
        record_queue(queue, queue._sem)


def restored_joinable(queue, state, restore=queues.JoinableQueue.__setstate__):
    """Replaces JoinableQueue.__setstate__ of multiprocessing."""
    restore(queue, state)
    unfinished, condition = queue._unfinished_tasks, queue._cond
    accounts = record_queue(queue, queue._sem, unfinished)

    def join():
        """Replaces JoinableQueue.join. For what is lost with a process no member calls task_done, so nothing wakes this thread."""
        with condition:
            while not unfinished._semlock._is_zero():
                if not condition.wait(SLICE):
                    accounts.check()

    if accounts is not None:
        queue.join = join
        finalize = finalizer(accounts.items.in_hand, accounts.stream.words)
        finalize(queue)
        # A process that begins forgets what was registered before.
        util.register_after_fork(queue, finalize)


def restored_simple(queue, state, restore=queues.SimpleQueue.__setstate__):
    """Replaces SimpleQueue.__setstate__ of multiprocessing."""
    restore(queue, state)
    record_queue(queue, None)


queues.Queue.__setstate__ = restored_queue
queues.JoinableQueue.__setstate__ = restored_joinable
queues.SimpleQueue.__setstate__ = restored_simple
