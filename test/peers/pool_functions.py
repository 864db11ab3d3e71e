# SPDX-License-Identifier: MIT
#
# Functions for pools. test/lifecycle/children/pool-functions.ts has the same ones for Node.
import asyncio
import contextvars
import gc
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import threading
import time
import weakref


def say(line):
    print(line, flush=True)


initialized = None


def initialize(value):
    global initialized
    initialized = value


def failing_initialize():
    raise ValueError('not today')


def get_initialized():
    return initialized


def add(a, b=0):
    return a + b


def echo(value):
    return value


remembered = []


def remember(value):
    remembered.append(weakref.ref(value))
    return value


def count_remembered():
    gc.collect()
    return sum(ref() is not None for ref in remembered)


request = contextvars.ContextVar('request', default=None)


async def get_request():
    await asyncio.sleep(0.001)
    return request.get()


def get_requests(n):
    for _ in range(n):
        yield request.get()


def pid():
    return os.getpid()


def name():
    return multiprocessing.current_process().name


def variable(key):
    return os.environ.get(key)


async def add_async(a, b):
    await asyncio.sleep(0.001)
    return a + b


def fail(text):
    raise ValueError(text)


def take(ms, value):
    time.sleep(ms / 1000)
    return value


def take_and_tell(ms, value):
    multiprocessing.current_process().progress(os.getpid())
    return take(ms, value)


def square_or_fail(value):
    if value == 3:
        raise ValueError('three')
    return value * value


def exit_with(code):
    os.write(2, b'last words\n')
    os._exit(code)


def kill_self(number=signal.SIGKILL):
    os.kill(os.getpid(), number)


def wait_until_cancelled():
    # The interrupt may come as soon as the line is written.
    try:
        say('begun %d' % os.getpid())
        time.sleep(600)
    finally:
        say('given up')


def ignore_cancel():
    told = False
    while True:
        # The interrupt may come as soon as the line is written.
        try:
            if not told:
                told = True
                say('begun %d' % os.getpid())
            time.sleep(600)
        except KeyboardInterrupt:
            pass


def die_once(file):
    if os.path.exists(file):
        return 2
    open(file, 'w').close()
    os.kill(os.getpid(), signal.SIGKILL)


def count(n):
    try:
        for i in range(n):
            yield i
    finally:
        say('closed')


async def count_async(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


def count_and_fail(n):
    yield from range(n)
    raise ValueError('enough')


def one_and_wait():
    yield 1
    wait_until_cancelled()


def blocks(count, size):
    for i in range(count):
        yield bytes([i % 256]) * size


def unsendable():
    return lambda: 1


class Odd(ValueError):
    """Its __init__ wants more than its args have."""

    def __init__(self, one, two):
        super().__init__('odd')
        self.handler = lambda: two


def unsendable_error():
    raise Odd(1, 2)


def grow(megabytes):
    global grown
    grown = b'x' * (megabytes * 2 ** 20)
    return os.getpid()


def report():
    logging.getLogger('pool').warning('half %s', 'way')
    return 'reported'


def report_progress():
    progress = multiprocessing.current_process().progress
    progress(1, 2)
    thread = threading.Thread(target=progress, args=(0.5,))
    thread.start()
    thread.join()
    if os.fork() == 0:
        progress(7, 7)
        os._exit(0)
    os.wait()
    progress(2, total=2)
    return 'reported'


late = []


def report_late():
    progress = multiprocessing.current_process().progress
    begun, go = threading.Event(), threading.Event()

    def run():
        begun.set()
        go.wait()
        progress(9, 9)

    late.append((go, threading.Thread(target=run)))
    late[-1][1].start()
    begun.wait()


def release_late():
    for go, thread in late:
        go.set()
        thread.join()
    return len(late)


def leave_child():
    child = subprocess.Popen(['sleep', '5'])
    say('child %d' % child.pid)
    os.kill(os.getpid(), signal.SIGKILL)


def send(connection):
    connection.send('hello')
    connection.close()


def give_connection(value):
    reader, writer = multiprocessing.Pipe(False)
    writer.send(value)
    writer.close()
    return {'reader': reader, 'value': value}


def give_connections(n):
    for i in range(n):
        yield give_connection(i)


class Uncollected:
    """A Connection that no process keeps."""

    def __reduce__(self):
        rebuild, (ticket, *direction) = multiprocessing.connection.reduce_connection(give_connection(1)['reader'])
        address, key = ticket._id
        ticket._id = (address, key + 1000)
        return rebuild, (ticket, *direction)


def give_uncollected():
    return Uncollected()


def give_inherited(name):
    return [getattr(multiprocessing, name)()]


def noise():
    os.write(1, b'\0\1\2 noise without an end')
    os.write(2, b'and on the error')
    return 'quiet'


def answer_and_die():
    def watch():
        # The main thread reads again when the result is written.
        while sys._current_frames()[threading.main_thread().ident].f_code.co_name not in ('receive', 'read'):
            time.sleep(0)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    return 'answered'


# For the ports of CPython's tests.


def sqr(x):
    return x * x


def mul(x, y):
    return x * y


def raising(key):
    raise KeyError(key)


def wait_until_cancelled_with(_):
    time.sleep(600)
