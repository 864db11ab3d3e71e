# SPDX-License-Identifier: MIT
"""redis_peer.py <host>:<port> <role> <name> [id]: a member of queues over Redis.

consume, produce: as test/redis/children/member.ts.

double: gets numbers from the queue, and puts their doubles on <name>-out, until the queue is shut down.
semantics: checks the behaviour of both classes, with a queue of its own.
keep: gets one item, prints it, and keeps it until it is killed.
"""
import os
import queue as thread_queue
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'interop', 'python'))

import redis

from node_multiprocessing_redis import JoinableQueue, Queue, ShutDown


def raises(kind, call, *args):
    try:
        call(*args)
    except kind:
        return
    raise AssertionError(f'{call} has not raised {kind}')


def double(client, name):
    with JoinableQueue(client, name) as jobs, Queue(client, name + '-out') as results:
        for item in jobs:
            results.put({'item': item, 'double': 2 * item})
            jobs.task_done()


def keep(client, name):
    jobs = JoinableQueue(client, name)
    print(jobs.get(), flush=True)
    time.sleep(1000)


def semantics(client, name):
    jobs = JoinableQueue(client, name, 2, serialization='pickle', lease_time=0.3)
    raises(thread_queue.Empty, jobs.get_nowait)
    raises(thread_queue.Empty, jobs.get, True, 0.05)
    raises(ValueError, jobs.task_done)
    jobs.join()
    jobs.put((1, {2}))
    jobs.put(b'x' * 100_000)
    raises(thread_queue.Full, jobs.put_nowait, 3)
    raises(thread_queue.Full, jobs.put, 3, True, 0.05)
    assert jobs.full() and jobs.qsize() == 2 and not jobs.empty()
    raises(TimeoutError, jobs.join, 0.05)
    assert jobs.get() == (1, {2})
    time.sleep(0.8)
    other = JoinableQueue(client, name, serialization='pickle')
    assert other.get() == b'x' * 100_000
    raises(thread_queue.Empty, other.get_nowait)
    jobs.task_done()
    other.close()
    assert jobs.get(timeout=30) == b'x' * 100_000
    jobs.task_done()
    jobs.join(30)
    raises(ValueError, JoinableQueue, client, name)
    raises(ValueError, JoinableQueue, client, '')
    raises(ValueError, JoinableQueue, redis.Redis(decode_responses=True), name)
    jobs.shutdown()
    raises(ShutDown, jobs.put, 1)
    raises(ShutDown, jobs.get)
    jobs.close()
    raises(ValueError, jobs.get)


def repeat(call, *args, on_uncertain=lambda: None):
    while True:
        try:
            return call(*args)
        except redis.exceptions.BusyLoadingError:
            pass
        except (redis.ConnectionError, redis.TimeoutError):
            on_uncertain()
        time.sleep(0.02)


def consume(client, name):
    jobs = repeat(JoinableQueue, client, name)
    while True:
        try:
            item = repeat(jobs.get)
        except ShutDown:
            break
        print('got', item, flush=True)
        try:
            repeat(jobs.task_done)
            print('done', item, flush=True)
        except ValueError:
            print('late', item, flush=True)
    jobs.close()


def produce(client, name, member):
    jobs = repeat(JoinableQueue, client, name)
    number = 0
    try:
        while True:
            item = f'{member}-{number}'
            number += 1
            print('try', item, flush=True)
            repeat(jobs.put, item, on_uncertain=lambda: print('again', item, flush=True))
            print('did', item, flush=True)
    except ShutDown:
        jobs.close()


address, role, *names = sys.argv[1:]
host, port = address.split(':')
connection = redis.Redis(host, int(port))
globals()[role](connection, *names)
connection.close()
