# SPDX-License-Identifier: MIT
"""CPython's own Queue, as bench/probes/queues.ts uses this package's: cpython_queues.py value sides warm-up-ms measured-ms"""

import multiprocessing
import sys

from sampling import report, sample
from values import value_of

ROUNDS = {"bytes-64": 4000, "record": 4000, "bytes-1m": 40}


def produce(queue, control, name, count):
    value = value_of(name)
    control.send("ready")
    while True:
        control.recv()
        for _ in range(count):
            queue.put(value)
        queue.put(None)


def consume(queue, control):
    control.send("ready")
    while True:
        control.recv()
        while queue.get() is not None:
            pass
        control.send("done")


def main():
    name, sides, warm_up_ms, measured_ms = sys.argv[1:]
    sides = int(sides)
    count = ROUNDS[name] // sides
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()

    def start(target, *args):
        ours, theirs = context.Pipe()
        context.Process(target=target, args=(queue, theirs, *args), daemon=True).start()
        theirs.close()
        return ours

    producers = [start(produce, name, count) for _ in range(sides)]
    consumers = [start(consume) for _ in range(sides)]
    for peer in producers + consumers:
        peer.recv()

    def a_round(_):
        for peer in consumers + producers:
            peer.send("go")
        for peer in consumers:
            peer.recv()

    samples = sample(warm_up_ms, measured_ms, 1, a_round, 3)
    report([ns / (sides * count) for ns in samples])


if __name__ == "__main__":
    main()
