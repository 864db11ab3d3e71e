# SPDX-License-Identifier: MIT
"""Both sides of a conversation about every kind of shared object; test/peers/sharing.ts is the same in Node.

`first` begins and `second` answers. Each step of one side waits for the step of the other side, over `conn` or
the object itself.
As a program: python sharing.py <module of Node>
"""
import json
import multiprocessing
import os
import subprocess
import sys
import sysconfig
import threading

SECONDS = 60
NAMES = [
    'Connection', 'Lock', 'RLock', 'Semaphore', 'BoundedSemaphore', 'Condition', 'Event', 'SimpleQueue', 'Queue',
    'JoinableQueue',
]


class Second:
    def Connection(self, conn, other):
        other.send(other.recv())

    def lock(self, conn, lock, times=1):
        assert conn.recv() == 'taken'
        conn.send(lock.acquire(block=False))
        for _ in range(times):
            assert lock.acquire(timeout=SECONDS)
        conn.send('taken')
        assert conn.recv() == 'seen'
        for _ in range(times):
            lock.release()
        conn.send('released')

    def Lock(self, conn, lock):
        self.lock(conn, lock)

    def RLock(self, conn, lock):
        self.lock(conn, lock, 2)

    def Semaphore(self, conn, lock):
        self.lock(conn, lock)

    def BoundedSemaphore(self, conn, lock):
        self.lock(conn, lock)
        try:
            lock.release()
        except ValueError:
            conn.send('refused')

    def Condition(self, conn, condition):
        with condition:
            conn.send('waiting')
            woken = condition.wait(SECONDS)
        conn.send(woken)
        assert conn.recv() == 'waiting'
        with condition:
            condition.notify()

    def Event(self, conn, event):
        conn.send(event.wait(SECONDS))
        event.clear()
        conn.send(event.is_set())
        assert conn.recv() == 'cleared'
        event.set()

    def queue(self, conn, queue, done=lambda: None):
        items = []
        for _ in range(3):
            items.append(queue.get())
            done()
        conn.send(items)
        assert conn.recv() == 'joined'
        for item in items:
            queue.put(item)

    def SimpleQueue(self, conn, queue):
        self.queue(conn, queue)

    def Queue(self, conn, queue):
        self.queue(conn, queue)

    def JoinableQueue(self, conn, queue):
        self.queue(conn, queue, queue.task_done)
        queue.join()
        conn.send('joined')


class First:
    def Connection(self, conn, other):
        other.send({'over': 'another'})
        assert other.recv() == {'over': 'another'}

    def Lock(self, conn, lock):
        assert lock.acquire()
        conn.send('taken')
        assert conn.recv() is False
        lock.release()
        assert conn.recv() == 'taken'
        assert not lock.acquire(block=False)
        conn.send('seen')
        assert conn.recv() == 'released'
        assert lock.acquire(block=False)
        lock.release()

    RLock = Semaphore = Lock

    def BoundedSemaphore(self, conn, lock):
        self.Lock(conn, lock)
        assert conn.recv() == 'refused'

    def Condition(self, conn, condition):
        assert conn.recv() == 'waiting'
        with condition:
            condition.notify()
        assert conn.recv() is True
        with condition:
            conn.send('waiting')
            assert condition.wait(SECONDS)

    def Event(self, conn, event):
        event.set()
        assert conn.recv() is True
        assert conn.recv() is False
        assert not event.is_set()
        conn.send('cleared')
        assert event.wait(SECONDS)

    def SimpleQueue(self, conn, queue, join=lambda: None, done=lambda: None):
        items = ['text', {'key': [1, None]}, b'bytes' * 20000]
        for item in items:
            queue.put(item)
        got = conn.recv()
        assert got == items, got
        join()
        conn.send('joined')
        assert [queue.get() for _ in items] == items
        for _ in items:
            done()

    Queue = SimpleQueue

    def JoinableQueue(self, conn, queue):
        self.SimpleQueue(conn, queue, queue.join, queue.task_done)
        assert conn.recv() == 'joined'


def type_name(value):
    return '%s.%s' % (type(value).__module__, type(value).__name__)


def foreign_modules():
    """Modules from outside the standard library and this folder. Some systems let each Python load one of their own."""
    plain = subprocess.run([sys.executable, '-c', 'import sys; print(*sys.modules)'], stdout=subprocess.PIPE, check=True)
    of_system = plain.stdout.decode().split()
    paths = sysconfig.get_paths()
    folders = [os.path.realpath(folder) + os.sep for folder in (
        paths['stdlib'], paths['platstdlib'], os.path.dirname(__file__))]
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, '__file__', None)
        if name in of_system or file is None:
            continue
        if not any(os.path.realpath(file).startswith(folder) for folder in folders):
            found.append('%s: %s' % (name, file))
    return found


def grandchild(queue, conn):
    # Before the next put: otherwise this side could get its own item.
    conn.send(queue.get())
    queue.put(['from', 'the grandchild', type_name(queue)])


def second(conn, objects, queue):
    """The function that a Node parent runs. The parent is the first side."""
    conn.send({name: type_name(value) for name, value in objects.items()})
    conn.send(foreign_modules())
    # The same object twice is one object.
    assert objects['Condition']._lock is objects['RLock']
    for name in objects:
        getattr(Second(), name)(conn, objects[name])
        conn.send(name)
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context('spawn').Process(target=grandchild, args=(queue, theirs))
    process.start()
    conn.send('started')
    conn.send(ours.recv())
    process.join()
    conn.send(process.exitcode)


def make(context):
    lock = context.RLock()
    ours, theirs = context.Pipe()
    return {
        'Connection': theirs, 'Lock': context.Lock(), 'RLock': lock, 'Semaphore': context.Semaphore(1),
        'BoundedSemaphore': context.BoundedSemaphore(1), 'Condition': context.Condition(lock),
        'Event': context.Event(), 'SimpleQueue': context.SimpleQueue(), 'Queue': context.Queue(3),
        'JoinableQueue': context.JoinableQueue(),
    }, ours


def start_child(module, theirs, objects):
    """A NodeProcess."""
    from node_multiprocessing import NodeProcess
    process = NodeProcess(module + ':second', args=(theirs,), kwargs=objects)
    process.start()
    return process


class Other:
    """A Node process that was started by other means, with descriptions in its environment."""

    def __init__(self, program, theirs, objects):
        from node_multiprocessing import describe
        conn, fds = describe(theirs)
        described = {}
        for name, obj in objects.items():
            text, more = describe(obj)
            described[name] = json.loads(text)
            fds += more
        env = dict(os.environ, CONN=conn, OBJECTS=json.dumps(described))
        self.process = subprocess.Popen(['node', program], env=env, pass_fds=fds)

    def join(self):
        self.exitcode = self.process.wait()


def main(module, how='child'):
    """The first side, with a child in Node."""
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'interop', 'python'))
    context = multiprocessing.get_context('spawn')
    conn, theirs = context.Pipe()
    objects, other = make(context)
    process = (start_child if how == 'child' else Other)(module, theirs, objects)
    theirs.close()
    objects['Connection'].close()
    objects['Connection'] = other
    assert conn.recv() == NAMES
    for name in NAMES:
        getattr(First(), name)(conn, objects[name])
        assert conn.recv() == name
        print(name, flush=True)
    process.join()
    assert process.exitcode == 0, process.exitcode


if __name__ == '__main__':
    watchdog = threading.Timer(2 * SECONDS, os._exit, (3,))
    watchdog.daemon = True
    watchdog.start()
    main(*sys.argv[1:])
