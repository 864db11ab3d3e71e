# SPDX-License-Identifier: MIT
"""Functions over shared memory, as CPython's tests have them: targets of a PythonProcess, and a parent of NodeProcess.

`python shared_memory_peer.py <module>` prints a line per check.
"""
import multiprocessing
import os
import sys

CODES = [('i', 4343, 24234), ('d', 3.625, -4.25), ('h', -232, 234), ('q', 2 ** 33, 2 ** 34), ('c', b'x', b'y'), ('u', 'a', 'b')]


def set_values(values, conn):
    for value, (code, before, after) in zip(values, CODES):
        assert value.value == before, (code, value.value)
        value.value = after
    conn.send([type(value).__name__ for value in values])


def add_up(array, conn):
    for i in range(1, len(array)):
        array[i] += array[i - 1]
    conn.send(type(array).__name__)


def double(x, y, array, string, conn):
    x.value *= 2
    y.value *= 2
    string.value *= 2
    for i in range(len(array)):
        array[i] *= 2
    conn.send('doubled')


def increment(value, times, conn):
    for _ in range(times):
        with value.get_lock():
            value.value += 1
    conn.send('done')


def exchange(shm, conn):
    conn.send([shm.name, shm.size, bytes(shm.buf[:5])])
    shm.buf[:5] = b'howdy'
    shm.buf[-1] = 9
    conn.send('written')


def attach(name, conn):
    from multiprocessing import shared_memory
    shm = shared_memory.SharedMemory(name)
    conn.send(bytes(shm.buf[:5]))
    shm.close()


def make(conn):
    from multiprocessing import shared_memory
    shm = shared_memory.SharedMemory(create=True, size=100)
    shm.buf[:5] = b'hello'
    conn.send(shm.name)
    conn.recv()
    shm.close()
    shm.unlink()
    conn.send('unlinked')


def open_all(conn):
    """Gets a block that exists, and one that does not any more."""
    shm = conn.recv()
    begin = bytes(shm.buf[:5])
    shm.buf[0] = 1
    conn.send(begin)
    try:
        conn.recv()
    except FileNotFoundError:
        conn.send('dead')
    shm.close()


def change_list(items, conn):
    conn.send([type(items).__name__, list(items), items.format])
    items[0] = 'x'
    items[2] = None
    items[-1] = 42
    try:
        items[1] = 'too long for this item'
    except ValueError:
        conn.send('refused')


def make_list(conn):
    from multiprocessing import shared_memory
    items = shared_memory.ShareableList(['howdy', b'HoWdY\0', -273.154, 100, None, True, 'gr\u00fc\u00df dich', 2 ** 62])
    conn.send(items.shm.name)
    conn.recv()
    conn.send(list(items))
    items.shm.close()
    items.shm.unlink()


def pass_barrier(barrier, times, conn):
    for _ in range(times):
        conn.send(barrier.wait())


def break_barrier(barrier, how, conn):
    from threading import BrokenBarrierError
    conn.send([barrier.parties, barrier.n_waiting, barrier.broken])
    conn.recv()
    if how == 'wait':
        try:
            barrier.wait()
        except BrokenBarrierError:
            conn.send('broken')
    else:
        getattr(barrier, how)()
        conn.send('done')


def node_children(module):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'interop', 'python'))
    from multiprocessing import shared_memory
    from node_multiprocessing import NodeProcess
    ctx = multiprocessing.get_context('spawn')

    def talk(name, *args):
        ours, theirs = ctx.Pipe()
        process = NodeProcess('%s:%s' % (module, name), args=(*args, theirs))
        process.start()
        theirs.close()
        return process, ours

    values = [ctx.Value(code, before) for code, before, _ in CODES]
    raw = [ctx.RawValue(code, before) for code, before, _ in CODES]
    for made, name in ((values, 'Value'), (raw, 'RawValue')):
        process, conn = talk('setValues', made)
        assert conn.recv() == [name] * len(CODES)
        assert [value.value for value in made] == [after for _, _, after in CODES]
        process.join()
    print('values')

    for array, name in ((ctx.Array('i', [1, 2, 3, 4]), 'Array'), (ctx.RawArray('i', [1, 2, 3, 4]), 'RawArray')):
        process, conn = talk('addUp', array)
        assert conn.recv() == name
        assert array[:] == [1, 3, 6, 10]
        process.join()
    print('arrays')

    value = ctx.Value('i', 0)
    process, conn = talk('increment', value, 200)
    for _ in range(200):
        with value.get_lock():
            value.value += 1
    assert conn.recv() == 'done'
    assert value.value == 400
    process.join()
    print('locks')

    shm = shared_memory.SharedMemory(create=True, size=100)
    shm.buf[:5] = b'hello'
    process, conn = talk('exchange', shm)
    assert conn.recv() == [shm.name, 100, b'hello']
    assert conn.recv() == 'written'
    assert bytes(shm.buf[:5]) == b'howdy' and shm.buf[-1] == 9
    process.join()
    # Regression: the end of a process that has only opened the block must not remove it.
    shared_memory.SharedMemory(shm.name).close()
    shm.close()
    shm.unlink()
    print('memory')

    items = shared_memory.ShareableList(['a', 'b', 1.5, None, 7])
    process, conn = talk('changeList', items)
    assert conn.recv() == ['ShareableList', ['a', 'b', 1.5, None, 7]]
    assert conn.recv() == 'refused'
    process.join()
    assert list(items) == ['x', 'b', None, None, 42], list(items)
    items.shm.close()
    items.shm.unlink()
    print('lists')

    barrier = ctx.Barrier(2)
    process, conn = talk('passBarrier', barrier, 3)
    assert [{barrier.wait(), conn.recv()} for _ in range(3)] == [{0, 1}] * 3
    process.join()
    print('barriers')


if __name__ == '__main__':
    node_children(sys.argv[1])
