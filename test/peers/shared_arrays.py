# SPDX-License-Identifier: MIT
#
# Functions that get arrays over shared memory (test/interop/shared-arrays.test.ts).
import os, pickle, resource, signal, sys, threading, time
import numpy
from multiprocessing import Process
from multiprocessing.shared_memory import SharedMemory

kept = []


def describe(array):
    """What the function got, which has an ordinary array, and writes to it."""
    got = [type(array) is numpy.ndarray, array.dtype.str, list(array.shape), array.flags.c_contiguous, array.flags.writeable,
           array.reshape(-1).tolist()]
    array.reshape(-1)[0] = 1
    return got


def give(array):
    return array


def views(array):
    """Views and results of a 2 x 3 array: those that are over its memory, and those that are not."""
    return {'row': array[1], 'reshaped': array.reshape(3, 2), 'columns': array.T, 'step': array[:, ::2], 'sum': array + 1,
            'empty': array[:0], 'bytes': array.view('u1')}


def keep(array):
    kept.append(array)


def drop():
    kept.clear()


def keep_in_fork(array):
    """A forked process keeps it until the pipe ends. Returns the other end."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    kept.append((pid, writer))


def end_fork():
    pid, writer = kept.pop()
    os.close(writer)
    os.waitpid(pid, 0)


def add_one(array):
    array += 1


def in_process(array):
    """A process that Python starts gets it, too."""
    process = Process(target=add_one, args=(array,))
    process.start()
    process.join()
    return process.exitcode


def serve(conn, queue, array):
    """Sends back what it gets, over both."""
    array[0] = 7
    conn.send(array)
    while True:
        got = conn.recv()
        if got is None:
            return
        conn.send(got)
        queue.put(got)


def without_descriptors(conn):
    """Gets an array, another one without a free descriptor, and a third one. Returns the error."""
    conn.send(conn.recv().tolist())
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    fds = []
    try:
        while True:
            fds.append(os.dup(0))
    except OSError:
        pass
    try:
        conn.recv()
    except OSError as error:
        found = error.errno
    for fd in fds:
        os.close(fd)
    conn.send(found)
    conn.send(conn.recv().tolist())
    conn.recv()


def own_memory(before):
    """Memory of its own, with the shape and the dtype of the array in it; and the first bytes of other memory."""
    first = bytes(before.buf[:3])
    before.close()
    memory = SharedMemory(create=True, size=16)
    array = numpy.ndarray([2], 'f8', memory.buf)
    array[:] = 0.5, 1.5
    kept.append((array, memory))
    return memory, array.shape, array.dtype.str, first


def end_by(how, array):
    """Ends the process in one of several ways while it has the array."""
    kept.append(array)
    array[0] = 2
    if how == 'exit':
        sys.exit(3)
    if how == '_exit':
        os._exit(3)
    if how == 'raise':
        raise ValueError('as asked')
    if how == 'abort':
        os.abort()
    if how == 'memory':
        os.kill(os.getpid(), signal.SIGSEGV)
    os.kill(os.getpid(), getattr(signal, how))
    time.sleep(100)


def give_slowly(array):
    kept.append(array)
    time.sleep(100)
    return array


def end_with(how, conn, queue, array):
    """Ends the process, or lets it be ended, while it has arrays. Its own is an ordinary one."""
    kept.append(array)
    array[0] = 2
    made = numpy.array([3.0])
    conn.send(made)
    count = 0
    while True:
        got = conn.recv()
        if isinstance(got, str):
            break
        kept.append(got)
        if how == 'mapping':
            conn.send(count)
        count += 1
    if how == 'exit':
        sys.exit(3)
    if how == 'error':
        raise ValueError('as asked')
    if how == 'use':
        numpy.frompyfunc(lambda _: os._exit(0), 1, 1)(array)
    if how == 'queue':
        kept.append(queue.get())
        queue.cancel_join_thread()
    if how == 'message':
        conn.send([array, made])
        time.sleep(1000)
    if how == 'thread':
        threading.Thread(target=lambda: [array[:1].fill(2) for _ in iter(int, 1)], daemon=True).start()


def mapped():
    """How many names each mapped file of a block has, and the bytes of memory."""
    files = [name for name in os.listdir('/proc/self/fd') if '.array.' in os.path.realpath('/proc/self/fd/' + name)]
    found = {(info.st_ino, info.st_nlink, info.st_blocks * 512) for info in (os.stat('/proc/self/fd/' + name) for name in files)}
    return [list(each[1:]) for each in found]


def own(array):
    """What the function got of a large array, which it changes and keeps."""
    kept.append(array)
    numbers = numpy.asarray(array) if not isinstance(array, bytes) else numpy.frombuffer(array, 'u1')
    got = [type(array).__name__, numbers.dtype.str, list(numbers.shape), numbers.flags.c_contiguous,
           numbers[..., :3].reshape(-1)[:3].tolist(), numbers.reshape(-1)[-1].item()]
    if not isinstance(array, bytes):
        numbers[...] = 9
    return got


def large(length):
    """Arrays of several orders and types, and their pickles."""
    made = numpy.arange(2.0 * length).reshape(2, length)
    fixed = made.copy()
    fixed.flags.writeable = False
    kept.append(made)
    arrays = {'made': made, 'again': made, 'fortran': numpy.asfortranarray(made), 'turned': made.T, 'step': made[:, ::2],
              'fixed': fixed, 'foreign': made.astype('>f8'), 'half': (made % 100).astype('f2'), 'flags': made > 1,
              'complex': made.astype('c16'), 'dates': made.astype('M8[ms]'), 'small': made[0, :3], 'row': made[1]}
    return arrays, {name: pickle.dumps(array, 4) for name, array in arrays.items()}


def change():
    for array in kept:
        array[...] = -1


def records(length):
    """An array that Node cannot read, beside one that it can."""
    return numpy.ones(length), numpy.zeros(length, [('a', 'f8'), ('b', 'i4')])


def no_pickle(length):
    return numpy.ones(length), threading.Lock()


def items(count, length):
    for i in range(count):
        yield [numpy.full(length, i + 0.5), numpy.full(length, -i - 0.5)]


def total(arrays):
    return [float(array[0] + array[-1]) for array in arrays]


def killed(length):
    threading.Timer(0.002, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    while True:
        yield numpy.ones(length)
