# SPDX-License-Identifier: MIT
#
# Arrays over blocks of shared memory in pickles (array-pickles.ts). Each pickle with such an array has this source, so that
# nothing needs to be installed for Python, and the first one makes a module of it. It uses the standard library of 3.8 to
# 3.13, and numpy.
#
# native/shared_memory/array_block.h describes the blocks. A block stays in use while its mapping has a shared lock on the open
# file; the mapping ends with the last array over it. An array that goes on to another process is written as it came. That is
# so only for arrays in such a block, and only in processes that have received one.
#
# The namespace has `source` and `code`, the texts that a pickle has.
# globals: source, code
import _thread, fcntl, itertools, mmap, os, weakref
from multiprocessing import reduction

HEADER, GENERATION, FIRST, END = 4096, 5, 256, 512
# What Node has typed arrays for.
KINDS = {'b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f4', 'f8', 'c8', 'c16', 'M8', 'm8'}

blocks, lock, numbers = weakref.WeakValueDictionary(), _thread.allocate_lock(), itertools.count(1)


class Block(mmap.mmap):
    """The mapping of a block: the base of all arrays in it."""


def open_block(path):
    block = blocks.get(path)
    if block is None:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            # The mapping has a copy of the descriptor.
            fcntl.flock(fd, fcntl.LOCK_SH)
            block = Block(fd, 0)
        finally:
            os.close(fd)
        block.path = path
    return block


def load(path, generation, word, ticket, dtype, shape, offset):
    with lock:
        block = open_block(path)
        with memoryview(block) as whole, whole[:HEADER] as page, page.cast('Q') as words:
            current = words[GENERATION]
            if words[word] == ticket:
                words[word] = 0
        if current != generation:
            raise OSError('A shared array was given up before its message was received')
        block.generation = generation
        blocks[path] = block
    import numpy
    reduction.ForkingPickler.register(numpy.ndarray, reduce_array)
    return numpy.ndarray(shape, dtype, block, HEADER + offset)


def reduce_array(array):
    block, dtype = array.base, array.dtype
    while type(block) is type(array):
        block = block.base
    flags = array.flags
    if (type(block) is Block and flags.c_contiguous and flags.writeable and flags.aligned and array.size and dtype.isnative
            and dtype.kind + str(dtype.itemsize) in KINDS):
        import numpy
        start = numpy.frombuffer(block, 'u1', 1).__array_interface__['data'][0]
        offset = array.__array_interface__['data'][0] - start - HEADER
        try:
            word, ticket = add_ticket(block)
            args = block.path, block.generation, word, ticket, dtype.str, array.shape, offset
            return eval, (code, {'source': source, 'code': code, 'args': args})
        except OSError:
            pass  # The file has gone, or no ticket is free: the elements travel with the message.
    return array.__reduce_ex__(4)


def add_ticket(block):
    # Locks on files exclude processes, the other one excludes threads. Closing any descriptor of the file ends the lock.
    with lock:
        fd = os.open(block.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX)
            with memoryview(block) as whole, whole[:HEADER] as page, page.cast('Q') as words:
                ticket = os.getpid() << 31 | next(numbers) & 0x7fffffff
                for i in range(END - FIRST):
                    word = FIRST + (ticket + i) % (END - FIRST)
                    if words[word] == 0:
                        words[word] = ticket
                        return word, ticket
        finally:
            os.close(fd)
    raise OSError('Too many messages with a shared array are on their ways')


def forked():
    global lock
    lock = _thread.allocate_lock()


os.register_at_fork(after_in_child=forked)
