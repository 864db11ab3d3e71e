# SPDX-License-Identifier: MIT
"""Takes the time of what a program measures, as bench/sampling.ts does."""

import json
import time


def sample(warm_up_ms, measured_ms, batch, run, least=5):
    """Times batches of `batch` operations. Returns nanoseconds per operation, for at least `least` batches."""
    samples = []
    end = time.perf_counter_ns() + int(warm_up_ms) * 1_000_000
    while time.perf_counter_ns() < end:
        run(batch)
    end = time.perf_counter_ns() + int(measured_ms) * 1_000_000
    while len(samples) < least or time.perf_counter_ns() < end:
        begin = time.perf_counter_ns()
        run(batch)
        samples.append((time.perf_counter_ns() - begin) / batch)
    return samples


def report(samples):
    print(json.dumps({"nsPerOperation": samples}))
