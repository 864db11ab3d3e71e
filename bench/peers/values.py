# SPDX-License-Identifier: MIT
"""The values that are put on queues and pickled; values.ts has the same."""


def record(i):
    return {"id": i, "name": "name %d" % i, "tags": ["red", "green"], "x": i + 0.5, "ok": True}


def value_of(name):
    if name == "bytes-64":
        return b"\7" * 64
    if name == "bytes-1m":
        return b"\7" * (1024 * 1024)
    if name == "record":
        return record(1)
    if name == "rows":
        return [record(i) for i in range(10_000)]
    raise ValueError(name)
