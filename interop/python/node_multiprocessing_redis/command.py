# SPDX-License-Identifier: MIT
import argparse
import os
import signal
import subprocess
import sys
import threading
from typing import Any

from .worker import Worker, time_out


def main() -> None:
    parser = argparse.ArgumentParser(prog='node_multiprocessing_redis')
    worker = parser.add_subparsers(required=True, metavar='worker').add_parser('worker', help='runs tasks of RedisPools')
    worker.add_argument('--redis', required=True, metavar='URL')
    worker.add_argument('--name', required=True, help='the name of the pools')
    worker.add_argument('--target', required=True, metavar='MODULE:FUNCTION')
    worker.add_argument('--processes', type=int, default=os.cpu_count(), help='how many tasks run at a time')
    worker.add_argument('--prefix', default='mp:', help='what the keys in Redis begin with')
    worker.add_argument('--lease-time', type=float, metavar='SECONDS', help='as that of the pools; default: 30')
    options = parser.parse_args()
    # As with -m, however the program was started.
    sys.path[0] = os.getcwd()
    if options.processes == 1:
        _work(options)
    else:
        _supervise(options)


def _work(options: argparse.Namespace) -> None:
    import redis

    client = redis.Redis.from_url(options.redis)
    one = Worker(client, options.name, options.target, options.prefix, options.lease_time)

    def stop(*_: Any) -> None:
        one.stopped = True

    signal.signal(signal.SIGALRM, time_out)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    one.work()
    client.close()


def _supervise(options: argparse.Namespace) -> None:
    """Replaces workers that have ended."""
    command = [sys.executable, os.path.dirname(os.path.abspath(__file__)), 'worker', '--processes', '1']
    command += ['--redis', options.redis, '--name', options.name, '--target', options.target, '--prefix', options.prefix]
    if options.lease_time is not None:
        command += ['--lease-time', str(options.lease_time)]
    workers = [subprocess.Popen(command) for _ in range(options.processes)]
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    while not stopped.wait(0.5):
        workers = [one if one.poll() is None else subprocess.Popen(command) for one in workers]
    for one in workers:
        one.terminate()
    for one in workers:
        one.wait()
