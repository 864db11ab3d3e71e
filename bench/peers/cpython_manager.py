# SPDX-License-Identifier: MIT
"""CPython's manager and its clients, for bench/probes/managers.ts.

cpython_manager.py serve: serves a queue, and prints the port.
cpython_manager.py use <port> <threads> <warm-up ms> <measured ms>: puts and gets in each thread. Prints `ready`, and at the next line of
its input how often it was done in the time after it.
"""

import queue
import sys
import threading
import time
from multiprocessing.managers import BaseManager

AUTHKEY = b"bench"


class Manager(BaseManager):
    pass


def serve():
    one = queue.Queue()
    Manager.register("get_queue", lambda: one)
    server = Manager(("127.0.0.1", 0), AUTHKEY).get_server()
    print(server.address[1], flush=True)
    server.serve_forever()


def use(port, threads, warm_up_ms, measured_ms):
    Manager.register("get_queue")
    counts = []
    connecting, connected = threading.Semaphore(8), threading.Barrier(threads)
    ready = threading.Barrier(threads + 1)
    go = threading.Barrier(threads + 1)

    manager = Manager(("127.0.0.1", port), AUTHKEY)
    manager.connect()
    shared = manager.get_queue()

    def run(milliseconds):
        count, end = 0, time.monotonic() + milliseconds / 1000
        while time.monotonic() < end:
            shared.put(count)
            shared.get()
            count += 1
        return count

    def work():
        # Each thread has a connection of its own. CPython's server has room for few that wait to be accepted.
        with connecting:
            shared.qsize()
        connected.wait()
        run(warm_up_ms)
        ready.wait()
        go.wait()
        counts.append(run(measured_ms))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    ready.wait()
    print("ready", flush=True)
    sys.stdin.readline()
    go.wait()
    for worker in workers:
        worker.join()
    print(sum(counts), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        use(*map(int, sys.argv[2:]))
