# SPDX-License-Identifier: MIT
#
# A Python program that passes a part of its work to a Node function, over real
# queues of multiprocessing: python3 main.py
import multiprocessing
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
# It is one file, which could also be copied beside this one.
sys.path.insert(0, os.path.join(here, "..", "..", "interop", "python"))

from node_multiprocessing import NodeProcess

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    tasks = context.JoinableQueue()
    results = context.Queue()
    lock = context.Lock()

    process = NodeProcess(
        os.path.join(here, "worker.mjs:format"),
        args=(tasks, results, lock),
        kwargs={"locale": "de-DE"},
        daemon=True,
    )
    process.start()
    for amount in (1234.5, 1e6, -0.25):
        tasks.put({"amount": amount, "currency": "EUR"})
    tasks.join()
    for _ in range(3):
        print(results.get())
    with lock:
        print("The lock is free.")

    tasks.put(None)
    process.join()
    print("The process ended with", process.exitcode)
