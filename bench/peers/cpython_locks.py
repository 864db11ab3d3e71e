# SPDX-License-Identifier: MIT
"""CPython's own Lock, as bench/probes/locks.ts uses this package's.

    cpython_locks.py uncontended|hand-over warm-up-ms measured-ms

Prints one line of JSON: the nanoseconds per operation of each measured batch.
"""

import multiprocessing
import sys

from sampling import report, sample


def take_turns(count, own, other):
    for _ in range(count):
        other.release()
        own.acquire()


def serve(own, other):
    own.acquire()
    while True:
        take_turns(1000, own, other)


def acquire_and_release(count, lock):
    for _ in range(count):
        lock.acquire()
        lock.release()


def main():
    mode, warm_up_ms, measured_ms = sys.argv[1:]
    context = multiprocessing.get_context("spawn")
    if mode == "uncontended":
        lock = context.Lock()
        samples = sample(warm_up_ms, measured_ms, 10_000, lambda count: acquire_and_release(count, lock))
    else:
        own, other = context.Lock(), context.Lock()
        own.acquire()
        other.acquire()
        child = context.Process(target=serve, args=(other, own), daemon=True)
        child.start()
        rounds = sample(warm_up_ms, measured_ms, 200, lambda count: take_turns(count, own, other))
        samples = [ns / 2 for ns in rounds]
        child.terminate()
        child.join()
    report(samples)


if __name__ == "__main__":
    main()
