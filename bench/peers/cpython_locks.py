# SPDX-License-Identifier: MIT
"""CPython's own Lock, as bench/probes/locks.ts uses ours.

    cpython_locks.py uncontended|hand-over warm-up-ms measured-ms

Prints one line of JSON: the nanoseconds per operation of each measured batch.
"""

import json
import multiprocessing
import sys
import time


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


def measure(batch, run, warm_up_ms, measured_ms):
    samples = []
    end = time.perf_counter_ns() + warm_up_ms * 1_000_000
    while time.perf_counter_ns() < end:
        run(batch)
    end = time.perf_counter_ns() + measured_ms * 1_000_000
    while len(samples) < 5 or time.perf_counter_ns() < end:
        start = time.perf_counter_ns()
        run(batch)
        samples.append((time.perf_counter_ns() - start) / batch)
    return samples


def main():
    mode, warm_up_ms, measured_ms = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    context = multiprocessing.get_context("spawn")
    if mode == "uncontended":
        lock = context.Lock()
        samples = measure(10_000, lambda count: acquire_and_release(count, lock), warm_up_ms, measured_ms)
    else:
        own, other = context.Lock(), context.Lock()
        own.acquire()
        other.acquire()
        child = context.Process(target=serve, args=(other, own), daemon=True)
        child.start()
        rounds = measure(200, lambda count: take_turns(count, own, other), warm_up_ms, measured_ms)
        samples = [ns / 2 for ns in rounds]
        child.terminate()
        child.join()
    print(json.dumps({"nsPerOperation": samples}))


if __name__ == "__main__":
    main()
