# SPDX-License-Identifier: MIT
#
# The Python worker: digests the pieces that it gets, until it gets None instead.
# Nothing is installed for it, and it knows nothing of Node: tasks is a
# multiprocessing.JoinableQueue and results a multiprocessing.Queue.
import hashlib
import signal


def work(tasks, results, name):
    # Ctrl-C reaches every process of the terminal. The main process handles it, and
    # ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    results.put((name, "ready", None))
    while True:
        task = tasks.get()
        if task is not None:
            number, data = task
            results.put((name, number, hashlib.sha256(data).digest()))
        tasks.task_done()
        if task is None:
            return
