# SPDX-License-Identifier: MIT
#
# Functions for Python children that share locks and queues with Node, and are killed, stopped or interrupted.
import multiprocessing
import os
import select
import signal
import threading
import time
from multiprocessing import queues, synchronize


def hold(conn, lock):
    """Takes a lock, and holds it."""
    lock.acquire()
    conn.send('held')
    time.sleep(1000)


def hold_again(conn, lock):
    """Takes an RLock twice and releases it once."""
    lock.acquire()
    lock.acquire()
    lock.release()
    conn.send('held')
    time.sleep(1000)


def wait_for(conn, lock):
    """Says when it is about to wait for a lock, and when it has the lock."""
    conn.send(os.getpid())
    with lock:
        conn.send('held')
        conn.recv()


def take_unsaid(conn, lock):
    """Takes a lock, and goes no further: its record does not say that it has the lock."""
    acquire = lock._semlock.acquire
    take = dict(zip(acquire.__code__.co_freevars, acquire.__closure__))['take']

    def take_and_stay(*args, take=take.cell_contents):
        take(*args)
        conn.send('taken')
        time.sleep(1000)

    take.cell_contents = take_and_stay
    lock.acquire()


def hold_without_first_thread(conn, lock):
    """A thread takes a lock and holds it. The first thread of the process ends."""
    import ctypes
    libc = ctypes.CDLL(None)
    threading.Thread(target=hold, args=(conn, lock), daemon=True).start()
    libc.syscall(93 if os.uname().machine == 'aarch64' else 60, 0)


def hold_in_thread(conn, lock):
    thread = threading.Thread(target=hold, args=(conn, lock), daemon=True)
    thread.start()
    thread.join()


def release_of_other(conn, lock):
    """Releases a lock that another process holds."""
    lock.release()
    conn.send('released')
    conn.recv()


def grandchild(conn, lock, method):
    """Starts a process that holds the lock. Sends the pid of that process first."""
    process = multiprocessing.get_context(method).Process(target=hold, args=(conn, lock))
    process.start()
    conn.send(process.pid)
    time.sleep(1000)


def hold_and_fork(conn, lock):
    """Holds a lock, and forks a process that does nothing."""
    lock.acquire()
    pid = os.fork()
    if pid == 0:
        time.sleep(1000)
        os._exit(0)
    conn.send(pid)
    time.sleep(1000)


def look(conn, objects):
    """Sends what a program can see of its objects."""
    seen = []
    context = multiprocessing.get_context('spawn')
    for obj in objects:
        kind = type(obj)
        seen.append([kind.__module__, kind.__qualname__, kind is getattr(synchronize, kind.__name__, None)
                     or kind is getattr(queues, kind.__name__, None), repr(obj)[:1]])
    lock = next(obj for obj in objects if type(obj) is synchronize.Lock)
    plain, inside = context.Lock()._semlock, lock._semlock
    missing = [name for name in dir(plain) if not name.startswith('__') and not hasattr(inside, name)]
    missing = [name for name in missing if name not in ('_rebuild', 'SEM_VALUE_MAX')]
    seen.append([missing, isinstance(inside.handle, int), inside.kind, inside.maxvalue, inside.name])
    conn.send(seen)


def states(conn, objects):
    """Sends the states that multiprocessing gives the objects for a child."""
    from multiprocessing import context
    context.set_spawning_popen(object())
    conn.send([obj.__getstate__()[1:] for obj in objects])


def errors(conn, lock, rlock):
    """Sends the names of the errors of wrong calls, and the results of right ones."""
    def outcome(call):
        try:
            return call()
        except Exception as error:
            return type(error).__name__

    calls = [lock.release, rlock.release, lambda: lock.acquire(False), lambda: lock.acquire(False), lambda: lock.acquire(True, 0.01),
             lambda: lock.acquire(timeout=-1), lambda: lock.acquire(timeout='x'), lambda: repr(lock)[:12], lock.release, lock.release,
             rlock.acquire, rlock.acquire, rlock.release, rlock.release, rlock.release]
    conn.send([outcome(call) for call in calls])


class Interruption(Exception):
    pass


def interrupted(conn, lock, count):
    """Takes and releases a lock while signals arrive at any instruction. Each ends one call by an exception. Sends how many did, and
    whether the lock could be taken after each."""
    def on_signal(*_):
        raise Interruption

    signal.signal(signal.SIGALRM, on_signal)
    found, taken = 0, True
    while found < count:
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + found % 7 * 0.00001)
                while True:
                    lock.acquire()
                    lock.release()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Interruption:
            found += 1
        # The exception may have come between the two calls: then this process holds the lock.
        if lock._semlock._count() > 0 and lock._semlock._is_mine():
            lock.release()
        taken = taken and lock.acquire(True, 5)
        lock.release()
    conn.send([found, taken])


def spin(queue):
    """Computes for ever."""
    while True:
        pass


def run_loop(queue):
    """Polls for ever, as asyncio does."""
    import asyncio
    asyncio.run(asyncio.sleep(1000))


def nothing(queue):
    """Has a queue, and ends."""


def item(number, size):
    return number.to_bytes(4, 'big') + bytes([number % 251]) * size


def tell(conn, number):
    """Sends a number, if there is room for it: a test that reads none of them does not stop the member."""
    if select.select([], [conn], [], 0)[1]:
        conn.send(number)


def put_all(queue, conn, size):
    """Puts items for ever, and tells a number for each ten that are in the pipe."""
    number = 0
    while True:
        queue.put(item(number, size))
        number += 1
        while len(getattr(queue, '_buffer', ())) > 5:
            time.sleep(0.001)
        if number % 10 == 0:
            tell(conn, number)


def get_all(queue, conn):
    """Gets items for ever, and tells a number for each ten."""
    number = 0
    while True:
        queue.get()
        number += 1
        if number % 10 == 0:
            tell(conn, number)


def get_with_limit(queue, conn):
    """Gets items for ever by a call with a time limit, and sends each."""
    conn.send('ready')
    try:
        while True:
            conn.send(queue.get(timeout=60))
    except Exception as error:
        conn.send(repr(error))


def starved(queue, conn, seconds):
    """A thread gets items and sends each, while C code of another thread keeps the interpreter's lock for some time."""
    import ctypes

    def work():
        conn.send('ready')
        while True:
            conn.send(queue.get())

    threading.Thread(target=work, daemon=True).start()
    while queue._rlock._semlock._get_value() > 0:
        time.sleep(0.001)
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))
    time.sleep(1000)


def put_and_join(queue, conn, count, size=0):
    """Puts items, and waits until all are processed."""
    for number in range(int(count)):
        queue.put(item(number, int(size)))
    conn.send('put')
    queue.join()
    conn.send('joined')


def take(queue, conn, count):
    """Gets items, and does not finish them. Ends when it is told to."""
    for _ in range(int(count)):
        queue.get()
    conn.send('taken')
    conn.recv()


def stay_inside(call, fd, number, conn):
    """The call of `os` with this number, from 1, that moves bytes of a pipe does not return. Says when they are moved."""
    move, calls = getattr(os, call), []

    def move_and_stay(of, *args):
        moved = move(of, *args)
        if of == fd:
            calls.append(moved)
            if len(calls) == number:
                conn.send('moved')
                time.sleep(1000)
        return moved

    setattr(os, call, move_and_stay)


def stay_putting(queue, conn, sizes):
    """Puts items of these sizes, and stays inside of the call that writes the last one."""
    stay_inside('write', queue._writer.fileno(), len(sizes), conn)
    for number, size in enumerate(sizes):
        queue.put(item(number, int(size)))
    time.sleep(1000)


def stay_getting(queue, conn):
    """Stays inside of the call that reads an item."""
    stay_inside('read', queue._reader.fileno(), 1, conn)
    queue.get()


def get_each(queue, conn):
    """Gets items for ever, and sends each."""
    while True:
        conn.send(queue.get())


def process_all(queue, conn):
    """Gets and finishes items for ever."""
    while True:
        queue.get()
        queue.task_done()


def fork_without_room(queue, conn):
    """Gets an item. A process that is forked when there is no room for records gets another one when there is, and ends."""
    queue.get()
    table, filled = next(iter(queue._reader._recv_bytes.__func__.__globals__['tables'].values())), []
    try:
        while True:
            filled.append(table.claim())
    except OSError:
        pass
    pid = os.fork()
    if pid == 0:
        for index in filled:
            table.words[index] = 0
        queue.get()
        os._exit(0)
    os.waitpid(pid, 0)
    conn.send('ended')
    conn.recv()
    queue.task_done()


def finish(queue, conn, count):
    """Finishes items that other members have got."""
    for _ in range(int(count)):
        queue.task_done()


def put_sizes(queue, conn, sizes):
    """Puts items of these lengths."""
    conn.send('started')
    for size in sizes:
        queue.put(bytes(int(size)))
