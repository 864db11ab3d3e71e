# SPDX-License-Identifier: MIT
"""What bench/probes/shared-memory.ts is compared with.

    cpython_shared.py sum-and-copy|pipe|increment|block warm-up-ms measured-ms
"""

import multiprocessing
import sys
from multiprocessing.shared_memory import SharedMemory

import talker
from sampling import report, sample

BYTES = 8 * 1024 * 1024


def main():
    mode, warm_up_ms, measured_ms = sys.argv[1:]
    context = multiprocessing.get_context("spawn")
    batch = 5
    if mode in ("sum-and-copy", "pipe"):
        import numpy

        array = numpy.arange(BYTES // 8, dtype="float64")
    if mode == "sum-and-copy":
        into = numpy.empty_like(array)

        def run(count):
            for _ in range(count):
                numpy.copyto(into, array)
                into.sum()

    elif mode == "pipe":
        ours, theirs = context.Pipe()
        context.Process(target=talker.talk, args=(theirs, "sum"), daemon=True).start()
        theirs.close()

        def run(count):
            for _ in range(count):
                ours.send(array)
                ours.recv_bytes()

    elif mode == "increment":
        batch = 10_000
        value = context.Value("i", 0)

        def run(count):
            for _ in range(count):
                with value.get_lock():
                    value.value += 1

    else:

        def run(count):
            for _ in range(count):
                memory = SharedMemory(create=True, size=BYTES)
                memory.close()
                memory.unlink()

    report(sample(warm_up_ms, measured_ms, batch, run))


if __name__ == "__main__":
    main()
