# SPDX-License-Identifier: MIT
"""Clients of a manager, and managers, of unmodified Python.

python managers_peer.py ADDRESS PROGRAM [ARGUMENT...]

ADDRESS is JSON; the key is b'key'. A program prints one line of JSON for each thing that it has seen.
"""
import gc
import json
import queue
import sys
import threading
from multiprocessing.managers import AcquirerProxy, BaseManager, DictProxy, SyncManager

KEY = b'key'


class Manager(BaseManager):
    pass


for name in ('get_queue', 'get_tasks', 'get_dict', 'get_event', 'calc', 'make_queue', 'hub', 'inner'):
    Manager.register(name)
Manager.register('get_lock', proxytype=AcquirerProxy)


def say(*values):
    print(json.dumps(values if len(values) != 1 else values[0], default=repr), flush=True)


def connect(address, cls=Manager):
    address = json.loads(address)
    manager = cls(address=tuple(address) if isinstance(address, list) else address, authkey=KEY)
    manager.connect()
    return manager


def outcome(call, *args, **kwds):
    try:
        return call(*args, **kwds)
    except Exception as error:
        return [type(error).__module__ + '.' + type(error).__name__, str(error).strip().split('\n')[-1]]


def put(manager, *items):
    shared = manager.get_queue()
    for item in items:
        shared.put(eval(item))


def get(manager, count):
    """Prints what it gets, with its type."""
    shared = manager.get_queue()
    for _ in range(int(count)):
        say(repr(shared.get()))


def echo(manager, expression):
    shared = manager.get_queue()
    value = eval(expression)
    shared.put(value)
    got = shared.get()
    say(repr(got) == repr(value), repr(got))


def queue_calls(manager):
    q = manager.make_queue(2)
    say(q.qsize(), q.empty(), q.full())
    q.put(1)
    q.put(item=2, block=True, timeout=5)
    say(q.qsize(), q.empty(), q.full())
    say(outcome(q.put, 3, False), outcome(q.put, 3, True, 0.01), outcome(q.put_nowait, 3))
    say(q.get(), q.get(block=False), outcome(q.get_nowait), outcome(q.get, timeout=0.01))
    say(outcome(q.get, True, -1), outcome(q.put), outcome(q.put, 1, bogus=2), outcome(q.get, timeout='1'))
    q.task_done()
    q.task_done()
    q.join()
    say(outcome(q.task_done))
    q.put('last')
    q.shutdown()
    say(outcome(q.put, 1)[0] if sys.version_info >= (3, 13) else 'queue.ShutDown', q.get())


def dict_calls(manager):
    d = manager.get_dict()
    d['a'] = 1
    d.update({'b': (1, 2.0)}, c=None)
    say(d['a'], 'b' in d.keys(), len(d), repr(d.copy()), outcome(d.__getitem__, 'zz'))
    d[1] = 'one'
    say(d[1.0], d[True], d.get('zz', 5), d.get('c', 5), d.pop('c'), d.pop('c', 6), outcome(d.pop, 'c'))
    d[(1, 2)] = 'tuple'
    say(d[(1, 2)], outcome(d.__setitem__, [1], 2), d.setdefault('a', 9), d.setdefault('new', 9))
    del d['new']
    say(d.popitem(), sorted(map(repr, d.items())), str(d))
    d.clear()
    say(len(d), outcome(d.popitem))


def sync_calls(address):
    manager = connect(address, SyncManager)
    d = manager.dict({'x': 1}, y=2)
    say(sorted(d), d.copy(), isinstance(d, DictProxy), sorted(list(iter(d))))
    with manager.RLock() as acquired:
        say(acquired)
    lock = manager.Lock()
    say(lock.acquire(), lock.acquire(False), lock.acquire(True, 0.01), lock.release(), outcome(lock.release))
    event = manager.Event()
    say(event.is_set(), event.wait(0.01), event.set(), event.wait(), event.clear(), event.is_set())
    q = manager.JoinableQueue()
    q.put(1)
    say(q.get(), q.task_done(), q.join())
    del d, lock, event, q
    # An exception may still refer to a frame with a proxy.
    gc.collect()
    say(manager._number_of_objects())


def call_methods(manager):
    calc = manager.calc()
    say(calc.add(1, 2), calc.named(1, x=3), outcome(calc.fail), outcome(calc._callmethod, '_hidden'), str(calc))
    say(outcome(calc.later, 5), outcome(calc.unsendable), outcome(calc.add, print))
    inner = manager.hub().inner()
    inner.put('through a proxy')
    say(type(inner).__name__, inner.get())
    say(manager._debug_info().count('refcount'))


def hold(manager, what):
    """Gets an item or a lock, says so, and waits to be killed or released."""
    if what == 'lock':
        held = manager.get_lock()
        held.acquire()
        say('held')
    elif what == 'wait':
        held = manager.get_queue()
        say('waits')
        held.get()
    else:
        held = manager.get_queue() if what == 'queue' else manager.get_tasks()
        say(held.get())
    sys.stdin.read()


def threads(manager, count):
    """Many threads, each with a connection of its own, put and get."""
    q = manager.get_queue()
    got = []

    def work(i):
        q.put(i)
        got.append(q.get())
        # The next call shows the server that the item has arrived, before the thread and its connection end.
        q.task_done()

    workers = [threading.Thread(target=work, args=(i,)) for i in range(int(count))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    say(sorted(got) == list(range(int(count))))


def example(manager):
    """The client of the remote manager in CPython's documentation, which puts, and the one that gets."""
    manager.get_queue().put('hello')
    say(manager.get_queue().get())


def serve(address):
    """A manager of Python with what a SyncManager has."""
    where = json.loads(address)
    manager = SyncManager(address=None if where is None else tuple(where), authkey=KEY)
    SyncManager.register('get_shared', callable=lambda shared=queue.Queue(): shared)
    SyncManager.register('failing', callable=lambda: 1 // 0)
    server = manager.get_server()
    say(server.address)
    server.serve_forever()


programs = dict(put=put, get=get, echo=echo, queue=queue_calls, dict=dict_calls, methods=call_methods, hold=hold,
                threads=threads, example=example)

if __name__ == '__main__':
    where, program, *rest = sys.argv[1:]
    if program == 'serve':
        serve(where)
    elif program == 'sync':
        sync_calls(where)
    else:
        programs[program](connect(where), *rest)
