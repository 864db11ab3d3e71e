# SPDX-License-Identifier: MIT
"""Queues in Redis or Valkey that Python and Node share, on any number of hosts.

The other side is ``node-multiprocessing/redis``. ``JoinableQueue`` and ``Queue`` have the methods of those of
``multiprocessing``, over a client of redis-py that the caller made. CPython 3.8 or later.

    import redis
    from node_multiprocessing_redis import JoinableQueue

    queue = JoinableQueue(redis.Redis(), 'jobs')
    job = queue.get()
    queue.task_done()

As a program it runs tasks of ``RedisPool`` objects of Node, with ``serialization: 'json'``:

    python -m node_multiprocessing_redis worker --redis redis://localhost --name math --target math:sqrt
"""
from .queues import Empty, Full, JoinableQueue, Queue, ShutDown

__all__ = ['Empty', 'Full', 'JoinableQueue', 'Queue', 'ShutDown']
