# SPDX-License-Identifier: MIT
"""Members of the chaos harness in Python, for queues of this package and of CPython. They write what
test/stress/chaos/ledger.ts describes.
"""
import os
import struct
import time

PUT, GOT, TORN = 1, 2, 3
RECORD = 16

# What the board tells all members, and how long a producer that rests waits before each item, in seconds.
STOP, REST = b"\x01", b"\x02"
REST_SECONDS = 0.005


# A Queue without maxsize takes whatever is put. So much of it is held by a producer before the next put waits.
MOST_BYTES, MOST_ITEMS = 32 << 20, 10000


class Ledger:
    def __init__(self, place):
        self.folder, self.slot, self.member = place["folder"], int(place["slot"]), int(place["member"])
        self.ledger = os.open(os.path.join(self.folder, "ledger"), os.O_WRONLY | os.O_APPEND)
        self.board = os.open(os.path.join(self.folder, "board"), os.O_RDWR)
        self.steps, self.shown, self.order = 0, 0.0, b""
        self.step()

    def write(self, kind, producer, number):
        os.write(self.ledger, struct.pack("<IIII", kind, self.member, producer, number))

    def step(self):
        self.steps += 1
        now = time.monotonic()
        if self.steps <= 2 or now - self.shown >= 0.001:
            self.shown = now
            os.pwrite(self.board, struct.pack("<IIII", self.member, self.steps, 0, 0), (self.slot + 1) * RECORD)
            self.order = os.pread(self.board, 1, 0)
        return self.order == STOP

    def note(self, item):
        producer, number, size = struct.unpack_from("<III", item) if len(item) >= 12 else (0, 0, 0)
        self.write(GOT if item == make_item(producer, number, size) else TORN, producer, number)

    def error(self, error):
        text = "%d %s %s\n" % (self.member, type(error).__name__, str(error).replace("\n", " "))
        with open(os.path.join(self.folder, "errors"), "ab", buffering=0) as errors:
            errors.write(text.encode())


def make_item(producer, number, size):
    size = max(size, 12)
    return struct.pack("<III", producer, number, size) + bytes([(producer * 31 + number * 7 + 1) & 0xFF]) * (size - 12)


def produce(queue, place):
    ledger = Ledger(place)
    sizes = [int(size) for size in place["sizes"]]
    most = min(MOST_ITEMS, MOST_BYTES // max(sizes))
    number = 0
    try:
        while not ledger.step():
            if ledger.order == REST:
                time.sleep(REST_SECONDS)
            while len(getattr(queue, "_buffer", ())) > most:
                time.sleep(0.001)
            queue.put(make_item(ledger.member, number, sizes[number % len(sizes)]))
            ledger.write(PUT, ledger.member, number)
            number += 1
    except Exception as error:
        ledger.error(error)


def consume(queue, place):
    ledger = Ledger(place)
    done = getattr(queue, "task_done", lambda: None)
    try:
        while True:
            item = queue.get()
            if item is not None:
                ledger.note(bytes(item))
            done()
            if item is None:
                break
            ledger.step()
    except Exception as error:
        ledger.error(error)


# What sending to a reader that was killed, and receiving from a writer that was killed, raises.
NO_READER = (BrokenPipeError, ConnectionResetError)
CUT_OFF = "got end of file during message"


def produce_of_pipe(end, place):
    ledger = Ledger(place)
    sizes = [int(size) for size in place["sizes"]]
    number = 0
    try:
        while not ledger.step():
            if ledger.order == REST:
                time.sleep(REST_SECONDS)
            end.send_bytes(make_item(ledger.member, number, sizes[number % len(sizes)]))
            ledger.write(PUT, ledger.member, number)
            number += 1
    except NO_READER:
        pass
    except Exception as error:
        ledger.error(error)


def consume_of_pipe(end, place):
    ledger = Ledger(place)
    try:
        while True:
            ledger.note(end.recv_bytes())
            ledger.step()
    except EOFError:
        pass
    except Exception as error:
        if str(error) != CUT_OFF:
            ledger.error(error)
