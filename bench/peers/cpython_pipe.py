# SPDX-License-Identifier: MIT
"""CPython's own Pipe with a Python process at both ends.

    cpython_pipe.py socketpair|pipe round-trip|one-way size batch warm-up-ms measured-ms

Prints one line of JSON: the nanoseconds per operation of each measured batch.
"""

import json
import multiprocessing
import sys
import time

MIN_BATCHES = 5


def make_links(context, kind):
    """Returns (reader, writer) for the parent and for the child."""
    if kind == "socketpair":
        parent, child = context.Pipe()
        return (parent, parent), (child, child)
    child_reader, parent_writer = context.Pipe(duplex=False)
    parent_reader, child_writer = context.Pipe(duplex=False)
    return (parent_reader, parent_writer), (child_reader, child_writer)


def serve(reader, writer, mode, batch):
    received = 0
    try:
        while True:
            message = reader.recv_bytes()
            if mode == "round-trip":
                writer.send_bytes(message)
                continue
            # One byte after each batch lets the parent's clock cover the last delivery.
            received += 1
            if received == batch:
                received = 0
                writer.send_bytes(b"\1")
    except EOFError:
        pass


def round_trips(reader, writer, payload, batch):
    for _ in range(batch):
        writer.send_bytes(payload)
        reply = reader.recv_bytes()
    return reply


def one_way(reader, writer, payload, batch):
    for _ in range(batch):
        writer.send_bytes(payload)
    return reader.recv_bytes()


def cpu_ns(child):
    """The processor time of both processes."""
    # The clock of another process, as clock_getcpuclockid() computes it.
    return time.process_time_ns() + time.clock_gettime_ns(~child.pid << 3 | 2)


def main():
    kind, mode = sys.argv[1:3]
    size, batch, warm_up_ms, measured_ms = map(int, sys.argv[3:7])
    context = multiprocessing.get_context("spawn")
    (reader, writer), child_ends = make_links(context, kind)
    child = context.Process(target=serve, args=(*child_ends, mode, batch))
    child.start()
    for end in set(child_ends):
        end.close()

    payload = bytes((i * 31 + 7) % 256 for i in range(size))
    run = round_trips if mode == "round-trip" else one_way
    clock = time.perf_counter_ns
    start = clock()
    while clock() - start < warm_up_ms * 1_000_000:
        run(reader, writer, payload, batch)
    samples = []
    cpu = cpu_ns(child)
    start = clock()
    while len(samples) < MIN_BATCHES or clock() - start < measured_ms * 1_000_000:
        begin = clock()
        reply = run(reader, writer, payload, batch)
        samples.append((clock() - begin) / batch)
    cpu = cpu_ns(child) - cpu
    if mode == "round-trip" and reply != payload:
        raise ValueError("the echo differs from what was sent")

    for end in {reader, writer}:
        end.close()
    child.join()
    print(json.dumps({"nsPerOperation": samples, "cpuNs": cpu / len(samples) / batch}))


if __name__ == "__main__":
    main()
