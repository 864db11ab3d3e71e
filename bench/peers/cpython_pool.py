# SPDX-License-Identifier: MIT
"""CPython's own Pool: cpython_pool.py task|map|array1|array8|array64 <warm-up ms> <measured ms>, as bench/probes/pool.ts does it."""

import multiprocessing
import sys

from pool_tasks import same
from sampling import report, sample

TASKS = 100_000
CHUNK = 100
LONG_WARM_UP = 4


def main():
    mode, warm_up_ms, measured_ms = sys.argv[1:4]
    warm_up_ms = LONG_WARM_UP * int(warm_up_ms)
    with multiprocessing.get_context("spawn").Pool(2 if mode == "map" else 1) as pool:
        if mode == "map":
            samples = sample(warm_up_ms, measured_ms, 1, lambda _: pool.map(same, range(TASKS), CHUNK), 3)
            report([each / TASKS for each in samples])
            return
        value, mib = None, int(mode[5:]) if mode.startswith("array") else 0
        if mib:
            import numpy

            value = numpy.arange(mib * 131072, dtype="f8")

        def run(count):
            for _ in range(count):
                pool.apply(same, (value,))

        report(sample(warm_up_ms, measured_ms, -(-20 // max(mib, 1)), run))


if __name__ == "__main__":
    main()
