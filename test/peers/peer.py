# SPDX-License-Identifier: MIT
"""The Python side of tests: CPython's own multiprocessing on inherited descriptors.

usage: peer.py MODE ENDS [ARGUMENT...]

ENDS says what the descriptors from 3 on are: duplex (3), pipes (3 is read and
4 is written), reader (3) or writer (3).
"""
import hashlib
import os
import sys
import threading
from multiprocessing import connection, reduction

MODE, ENDS, ARGUMENTS = sys.argv[1], sys.argv[2], sys.argv[3:]
if ENDS == "duplex":
    READER = WRITER = connection.Connection(3)
elif ENDS == "pipes":
    READER = connection.Connection(3, writable=False)
    WRITER = connection.Connection(4, readable=False)
elif ENDS == "reader":
    READER, WRITER = connection.Connection(3, writable=False), None
else:
    READER, WRITER = None, connection.Connection(3, readable=False)
BLOCK = bytes(range(251))


def say(line):
    print(line, flush=True)


def pattern(length, seed):
    start = seed % len(BLOCK)
    block = BLOCK[start:] + BLOCK[:start]
    return (block * (length // len(block) + 1))[:length]


def echo():
    """Sends every message back until the end of data."""
    while True:
        try:
            message = READER.recv_bytes()
        except EOFError:
            return
        WRITER.send_bytes(message)


def sink():
    """Prints length and digest of every message, then the error that ended the stream."""
    try:
        while True:
            message = READER.recv_bytes()
            say("%d %s" % (len(message), hashlib.sha256(message).hexdigest()))
    except (EOFError, OSError) as error:
        say(type(error).__name__)


def source():
    """Sends one message of each size; the seed is the message's number."""
    for seed, size in enumerate(ARGUMENTS):
        WRITER.send_bytes(pattern(int(size), seed))


def hold():
    """Keeps the descriptors until standard input ends."""
    say("ready")
    sys.stdin.read()


def raw():
    """Writes each line of standard input, in hexadecimal, as it is."""
    descriptor = (WRITER or READER).fileno()
    for line in sys.stdin:
        data = bytes.fromhex(line.strip())
        while data:
            data = data[os.write(descriptor, data) :]
        say("ok")


def slices():
    """Writes the part of a file that each line of standard input names: path, start, end."""
    descriptor = (WRITER or READER).fileno()
    for line in sys.stdin:
        path, start, end = line.split()
        with open(path, "rb") as file:
            file.seek(int(start))
            data = file.read(int(end) - int(start))
        while data:
            data = data[os.write(descriptor, data) :]


def poll():
    """Waits until data is there, and receives nothing."""
    say("ready")
    say(READER.poll(60))


def reset():
    """Ends while data is unread."""
    READER.poll(60)


def receive_handle():
    """Writes to a descriptor that it receives, whose number is above that of the argument."""
    for _ in range(int(ARGUMENTS[0]) if ARGUMENTS else 0):
        os.open(os.devnull, os.O_RDONLY)
    descriptor = reduction.recv_handle(READER)
    os.write(descriptor, b"via Python")
    os.close(descriptor)
    READER.send_bytes(b"done")
    echo()


def send_handle():
    """Sends the reading end of a pipe between two messages."""
    reading, writing = os.pipe()
    WRITER.send_bytes(b"before")
    reduction.send_handle(WRITER, reading, None)
    WRITER.send_bytes(b"after")
    os.write(writing, b"from Python")


def missing_handle():
    """Prints the error for a handle that does not come."""
    try:
        reduction.recv_handle(READER)
    except (RuntimeError, EOFError) as error:
        say(type(error).__name__)


def unblock():
    """Blocks in recv_bytes in one thread, and prints the result."""

    def receive():
        try:
            say(READER.recv_bytes().decode())
        except BlockingIOError:
            say("BlockingIOError")

    thread = threading.Thread(target=receive)
    thread.start()
    say("ready")
    thread.join()


def descriptors():
    """Prints the open descriptors above the standard streams."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
            found.append(int(name))
        except OSError:
            pass
    say(sorted(number for number in found if number > 2))


def objects():
    """Receives pickles by Connection.recv and sends them back by Connection.send."""
    while True:
        try:
            value = READER.recv()
        except EOFError:
            return
        WRITER.send(value)


globals()[MODE]()
