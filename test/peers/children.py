# SPDX-License-Identifier: MIT
"""Functions that tests run in Python children."""
import multiprocessing
import os
import signal
import sys
import time


def nothing(*args, **kwargs):
    pass


def arguments(conn, *args, **kwargs):
    conn.send([list(args), kwargs])


class Group:
    @staticmethod
    def method(conn):
        conn.send('called')


def about(conn):
    process, parent = multiprocessing.current_process(), multiprocessing.parent_process()
    conn.send({
        'class': type(process).__name__, 'name': process.name, 'daemon': process.daemon, 'argv': sys.argv,
        'authkey': bytes(process.authkey), 'parent': parent.pid, 'parentName': parent.name,
        'parentAlive': parent.is_alive(), 'cwd': os.getcwd(), 'method': multiprocessing.get_start_method(),
        'executable': sys.executable,
    })


def read_input(conn):
    """Sends its standard input, and that of a process that it forks."""
    reader, writer = multiprocessing.Pipe(False)
    process = multiprocessing.get_context('fork').Process(target=lambda: writer.send(sys.stdin.read()))
    process.start()
    conn.send([sys.stdin.read(), reader.recv()])
    process.join()


def fail(message):
    raise ValueError(message)


def leave(code):
    sys.exit(code)


def die(number=signal.SIGKILL):
    os.kill(os.getpid(), number)


def write(out, error):
    sys.stdout.write(out)
    sys.stderr.write(error)


def until_closed(conn):
    try:
        conn.recv()
    except EOFError:
        pass


def parent_gone(pipe):
    """Reports over a pipe of its own that the parent has ended."""
    pipe.send(os.getpid())
    multiprocessing.parent_process().join()
    pipe.send('gone')


def busy(conn):
    conn.send(os.getpid())
    while True:
        pass


def with_names(conn):
    """Makes objects with names, and sends the first and the last one. A killed process cannot remove these."""
    context = multiprocessing.get_context('spawn')
    lock, queue = context.Lock(), context.Queue()
    conn.send([lock._semlock.name, queue._sem._semlock.name])
    time.sleep(1000)


def make_memory(conn, size):
    """Makes shared memory, and removes it when it is told to."""
    from multiprocessing import shared_memory
    memory = shared_memory.SharedMemory(create=True, size=size)
    memory.buf[:4] = b'made'
    conn.send(memory.name)
    conn.recv()
    memory.close()
    memory.unlink()


def leave_memory(conn):
    from multiprocessing import shared_memory
    memory = shared_memory.SharedMemory(create=True, size=4096)
    memory.close()
    conn.send(memory.name)


def look_at_memory(conn, name):
    from multiprocessing import shared_memory
    memory = shared_memory.SharedMemory(name)
    conn.send(bytes(memory.buf[:4]))
    memory.close()


def tracker_of_names(conn):
    """Sends the number of the process that removes names, None if this one has started none."""
    from multiprocessing import resource_tracker
    lock = multiprocessing.get_context('spawn').Lock()
    conn.send(resource_tracker._resource_tracker._pid)


def make_names(conn, count):
    """Makes and removes many names, more than a pipe holds."""
    context = multiprocessing.get_context('spawn')
    for _ in range(count):
        context.Lock()
    conn.send('made')


def names_of_a_child(conn, count):
    """As make_names, in a process that this one starts."""
    process = multiprocessing.get_context('spawn').Process(target=make_names, args=(conn, count))
    process.start()
    process.join()


def holds(conn, lock):
    with lock:
        conn.send('held')
        time.sleep(1000)


def uses(conn, lock, event):
    with lock:
        event.set()
    conn.send(event.is_set())
    conn.recv()


def relay(source, sink, name):
    """Passes on what it gets, with its name, until it gets None."""
    while True:
        item = source.get()
        if item is None:
            return
        sink.put([name, item])


def get_one(queue, conn):
    """Gets items for ever, and reports each."""
    while True:
        conn.send(queue.get())


def put_large(queue, size):
    queue.put(b'x' * size)
    time.sleep(1000)


def half_read(queue, conn):
    """Reads the first part of an item, and waits."""
    queue._rlock.acquire()
    conn.send(len(os.read(queue._reader.fileno(), 100)))
    conn.recv()


def holds_writing(queue, conn):
    """Holds the lock for putting, between two items."""
    queue._wlock.acquire()
    conn.send('held')
    conn.recv()


def waits_for_event(conn, event):
    conn.send('waiting')
    conn.send(event.wait())


def waits_for_condition(conn, condition):
    with condition:
        conn.send('waiting')
        conn.send(condition.wait())


def joins(conn, queue):
    conn.send('waiting')
    queue.join()
    conn.send(True)


def heart(conn, event):
    while not conn.poll(0.002):
        event.set()
        event.clear()
