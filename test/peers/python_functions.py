# SPDX-License-Identifier: MIT
#
# Functions for pools that have no counterpart in Node: what only Python can do to a worker.
import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import time

from pool_functions import say


def stop_iteration(value):
    if value == 3:
        raise StopIteration
    return value


def keywords(*args, **kwargs):
    return [args, kwargs]


def fork_and_return():
    if os.fork() == 0:
        return 'child'
    os.wait()
    return 'parent'


def fork_and_raise():
    if os.fork() == 0:
        raise ValueError('child')
    os.wait()
    return 'parent'


def system_exit():
    sys.exit(3)


def own_interrupt():
    raise KeyboardInterrupt


def send_interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)
    return 'not interrupted'


def close_streams():
    sys.stdout.close()
    sys.stderr.close()
    return 'closed'


def close_descriptors():
    os.closerange(3, 1000)


class Unloadable:
    """Its pickle cannot be loaded."""

    def __reduce__(self):
        return (os.getenv, ())


def unknown_class():
    return Unloadable()


def clean_up_async():
    async def main():
        try:
            say('begun %d' % os.getpid())
            await asyncio.sleep(600)
        finally:
            say('given up')

    return main()


class Slow:
    def __del__(self):
        say('begun %d' % os.getpid())
        time.sleep(600)


def interrupted_in_destructor():
    try:
        Slow()
        time.sleep(600)
    finally:
        say('given up')


def nested():
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.apply(abs, (-7,))


def module_argv():
    return sys.argv


class Text(str):
    """As the strings of template engines, which stay what they are."""

    def __str__(self):
        return self


def fail_with_text():
    raise ValueError(Text('so bad'))


class Shy:
    def __reduce__(self):
        raise ValueError('not this')

    __repr__ = __reduce__


def shy():
    return Shy()


def log_oddly():
    logging.warning('%d items', 'three')
    logging.warning(Text('half way'))
    return 'logged'


def write_raw(kind, data):
    # What native code of a worker may do to any descriptor, in the place of the message about this task.
    names = multiprocessing.current_process().progress.__globals__
    write = names['write']

    def once(*_):
        names['write'] = write
        write(kind, data)

    names['write'] = once


def interrupted_in_progress():
    try:
        say('begun %d' % os.getpid())
        while True:
            multiprocessing.current_process().progress(1, bytes(2 ** 20))
    except BaseException as error:
        say('raised %s' % type(error).__name__)
        raise
