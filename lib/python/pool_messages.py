# SPDX-License-Identifier: MIT
#
# The messages of a worker of a PythonPool, which runs this before pool_worker.py, in the same namespace. A message to the pool ends
# with a byte for its kind, behind the pickle, so that the pool knows what a message is about although its value cannot be decoded.
#
# The namespace has `tasks`, a Connection in both directions. pool_worker.py adds `uninterrupted`.
# globals: tasks, uninterrupted
import os, struct, threading
from multiprocessing import reduction

# How many bytes are worth a copy to save a system call.
PIECE = 65536

channel, lock = tasks.fileno(), threading.Lock()


def send(kind, value):
    # The pickle may raise anything, and then nothing is sent.
    data = reduction.ForkingPickler.dumps(value, 4)
    write(kind, data)


def write(kind, data):
    # A thread of the user may log while a task ends, and an interrupt must not tear a message apart.
    size = len(data) + 1
    parts = (struct.pack('!i', size) if size <= 0x7fffffff else struct.pack('!iQ', -1, size), data, bytes((kind,)))
    if size < PIECE:
        parts = (b''.join(parts),)
    with uninterrupted, lock:
        for part in parts:
            written = os.write(channel, part)
            while written < len(part):
                part = memoryview(part)[written:]
                written = os.write(channel, part)


def read(size):
    data = os.read(channel, min(size, PIECE))
    if len(data) == size:
        return data
    whole, at, count = bytearray(size), 0, len(data)
    whole[:count] = data
    while count and at + count < size:
        at += count
        count = os.readv(channel, [memoryview(whole)[at:]])
    if not count:
        raise EOFError
    return whole


def receive():
    # As recv_bytes() of a Connection, in half of its time.
    size, = struct.unpack('!i', read(4))
    if size == -1:
        size, = struct.unpack('!Q', read(8))
    return read(size) if size else b''
