# SPDX-License-Identifier: MIT
#
# The messages of a worker of a PythonPool, which runs this before pool_worker.py, in the same namespace. A message to the pool ends
# with a byte for its kind, behind the pickle, so that the pool knows what a message is about although its value cannot be decoded.
#
# Large arrays go beside the messages, in a file that both sides have open (pool-memory.ts). Each side copies them. In the file
# there are the number of the last message from here that the pool has read, the arrays of tasks, and those of results.
#
# The namespace has `tasks`, a Connection in both directions; and `memory`, a Connection with the descriptor of the file, or None.
# pool_worker.py adds `uninterrupted`.
# globals: __name__, tasks, memory, uninterrupted
import os, struct, sys, threading
from multiprocessing import reduction

# How many bytes are worth a copy to save a system call.
PIECE = 65536

channel, lock = tasks.fileno(), threading.Lock()

# As in pool-memory.ts.
LARGE, MOST, FIRST, OFFSET = 1 << 20, 1 << 28, 4096 + (1 << 28), 128
# What Node has typed arrays for.
KINDS = {'b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f4', 'f8', 'c8', 'c16', 'M8', 'm8'}

# How many messages about tasks were sent, which was the last one with an array, and where the next array goes.
sent, last, end = 0, 0, FIRST


def take(at, kind, shape):
    """The array that a pickle from the pool names: of numpy, of the module array, or bytes."""
    if kind == '':
        made = os.pread(memory.fileno(), shape, at)
        count = len(made)
    elif isinstance(shape, int):
        from array import array
        made = array(kind, bytes(shape))
        count = os.preadv(memory.fileno(), [made], at)
    else:
        import numpy
        made = numpy.empty(shape, kind)
        count, shape = os.preadv(memory.fileno(), [made.reshape(-1).view('u1')], at), made.nbytes
    if count != shape:
        raise EOFError
    return made


# Here a pickle finds it, and a pickle from here names it.
sys.modules[__name__] = type(sys)(__name__)
sys.modules[__name__].take = take


def put(array):
    """Where the array is for the pool; None if it has to be in the pickle."""
    global last, end
    import numpy
    base, dtype = array.base, array.dtype
    while type(base) is numpy.ndarray:
        base = base.base
    # One over shared memory goes on as it came (arrays.py).
    if not dtype.isnative or dtype.kind + str(dtype.itemsize) not in KINDS or hasattr(base, 'generation'):
        return None
    try:
        if last <= sent and int.from_bytes(os.pread(memory.fileno(), 8, 0), sys.byteorder) >= last:
            end = FIRST
        at = end + OFFSET
        if at + array.nbytes > FIRST + MOST or os.pwrite(
                memory.fileno(), numpy.ascontiguousarray(array).reshape(-1).view('u1'), at) < array.nbytes:
            return None
    except OSError:
        return None  # Perhaps the function has closed it.
    last, end = sent + 1, at + array.nbytes + 4095 & -4096
    return take, (at, dtype.str, array.shape)


class Pickler(reduction.ForkingPickler):
    def reducer_override(self, value):
        numpy = sys.modules.get('numpy')
        if numpy and memory and type(value) is numpy.ndarray and value.nbytes >= LARGE:
            return put(value) or NotImplemented
        return NotImplemented


def dumps(value):
    """The pickle of a result, or of an item. It may raise anything, and then nothing is sent."""
    global last, end
    before = last, end
    try:
        return Pickler.dumps(value, 4)
    except BaseException:
        last, end = before
        raise


def send(kind, value):
    write(kind, reduction.ForkingPickler.dumps(value, 4))


def write(kind, data):
    global sent
    # A thread of the user may log while a task ends, and an interrupt must not tear a message apart.
    size = len(data) + 1
    parts = (struct.pack('!i', size) if size <= 0x7fffffff else struct.pack('!iQ', -1, size), data, bytes((kind,)))
    if size < PIECE:
        parts = (b''.join(parts),)
    with uninterrupted, lock:
        # Those about the progress of a task and the log can come from any thread.
        sent += kind in (3, 4, 5)
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
