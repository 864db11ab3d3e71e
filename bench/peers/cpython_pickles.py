# SPDX-License-Identifier: MIT
"""CPython's pickle, as bench/probes/pickles.ts uses this package's: cpython_pickles.py value warm-up-ms measured-ms"""

import pickle
import sys

from sampling import report, sample
from values import value_of

BATCH = {"record": 2000, "rows": 1, "bytes-1m": 20}

name, warm_up_ms, measured_ms = sys.argv[1:]
value = value_of(name)


def run(count):
    for _ in range(count):
        pickle.loads(pickle.dumps(value))


report(sample(warm_up_ms, measured_ms, BATCH[name], run))
