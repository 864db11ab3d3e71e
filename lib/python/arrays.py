# SPDX-License-Identifier: MIT
#
# Arrays over blocks of shared memory in pickles (array-pickles.ts). Each pickle with such an array has this source, so that
# nothing needs to be installed for Python, and the first one makes a module of it. It uses the standard library of 3.8 to
# 3.13, and numpy.
#
# native/shared_memory/array_block.h describes the blocks. A block stays in use while this process has a shared lock on the open
# file, which ends with the last array over it. The mapping may stay for the next message with the block, since the first use
# of each page of a mapping costs more than a copy. An array that goes on to another process is written as it came. That is so
# only for arrays in such a block, and only in processes that have received one.
#
# The namespace has `source` and `code`, the texts that a pickle has.
# globals: source, code
import fcntl, itertools, mmap, os, sys, threading, weakref
from multiprocessing import reduction

HEADER, GENERATION, FIRST, END = 4096, 5, 256, 512
# How many mappings wait for their next use, and their bytes.
COUNT, BYTES = 8, 1 << 26
# What Node has typed arrays for.
KINDS = {'b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f4', 'f8', 'c8', 'c16', 'M8', 'm8'}

# The blocks and tickets of messages that could not be read for want of a descriptor or of memory.
lost = []
# The death of an array, which releases its block, may come at any point, also while this thread has the lock.
blocks, idle, lock, numbers = weakref.WeakValueDictionary(), {}, threading.RLock(), itertools.count(1)


class Block(mmap.mmap):
    """The mapping of a block."""

    # Whether no other process has its open file.
    alone, path = True, None

    def __del__(self, close=os.close):
        if self.path:
            close(self.fd)

    def unuse(self, number, is_ending=sys.is_finalizing):
        # The variables of this module have gone then.
        if is_ending():
            return
        with lock:
            del self.refs[number]
            # A lock that a forked process shares ends with the descriptors of both.
            if self.refs or not self.alone or len(self) > BYTES:
                return
            fcntl.flock(self.fd, fcntl.LOCK_UN)
            idle[self.path] = self
            while len(idle) > COUNT or sum(map(len, idle.values())) > BYTES:
                del idle[next(iter(idle))]


def open_block(path):
    block = idle.pop(path, None) or blocks.get(path)
    # The name may be that of another file by now.
    if block is None or not os.fstat(block.fd).st_nlink:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            block = Block(fd, 0)
        except BaseException:
            os.close(fd)
            raise
        block.fd, block.path, block.refs = fd, path, {}
    return block


def end_ticket(block, word, ticket):
    with memoryview(block) as whole, whole[:HEADER] as page, page.cast('Q') as words:
        if words[word] == ticket:
            words[word] = 0
        return words[GENERATION]


def end_lost():
    while lost:
        try:
            end_ticket(open_block(lost[-1][0]), *lost[-1][1:])
        except FileNotFoundError:
            pass
        except OSError:
            return
        lost.pop()


def load(path, generation, word, ticket, dtype, shape, offset):
    import numpy
    with lock:
        try:
            block = open_block(path)
        except OSError:
            # What is missing may be there again when the next message comes.
            lost.append((path, word, ticket))
            raise
        # From here on the end of another array does not take the lock away.
        number = next(numbers)
        block.refs[number] = None
        fcntl.flock(block.fd, fcntl.LOCK_SH)
        # An array of numpy takes no part in garbage collection, so the reference tells of its end and not of an attempt.
        root = numpy.ndarray(len(block), 'u1', block)
        block.refs[number] = weakref.ref(root, lambda _: block.unuse(number))
        current = end_ticket(block, word, ticket)
        end_lost()
        if current != generation:
            raise OSError('A shared array was given up before its message was received')
        block.generation = generation
        blocks[path] = block
    reduction.ForkingPickler.register(numpy.ndarray, reduce_array)
    return numpy.ndarray(shape, dtype, root, HEADER + offset)


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


def forking():
    idle.clear()
    for block in list(blocks.values()):
        block.alone = False


def forked():
    global lock
    lock = threading.RLock()
    idle.clear()


os.register_at_fork(before=forking, after_in_child=forked)
