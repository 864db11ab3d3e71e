# SPDX-License-Identifier: MIT
"""Two Python processes, beside the Node and the Python process of bench/probes/python.ts.

    cpython_talk.py round-trip|to-numpy|from-numpy warm-up-ms measured-ms
"""

import multiprocessing
import sys

import talker
from sampling import report, sample


def main():
    mode, warm_up_ms, measured_ms = sys.argv[1:]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    context.Process(target=talker.talk, args=(theirs, mode), daemon=True).start()
    theirs.close()
    data = b"\7" * 64
    if mode != "round-trip":
        import numpy

        array = numpy.arange(1024 * 1024, dtype="float64")

    def run(count):
        for _ in range(count):
            if mode == "round-trip":
                ours.send_bytes(data)
                ours.recv_bytes()
            elif mode == "to-numpy":
                ours.send(array)
                ours.recv_bytes()
            else:
                ours.send_bytes(b"1")
                ours.recv()

    report(sample(warm_up_ms, measured_ms, 200 if mode == "round-trip" else 5, run))
    ours.close()


if __name__ == "__main__":
    main()
