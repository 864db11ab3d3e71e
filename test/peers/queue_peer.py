# SPDX-License-Identifier: MIT
"""The Python side of tests of queues: a queue of CPython, made of names and of the descriptors 3 (read) and 4 (write).

The first line of standard input is what describe() makes of the queue. Each further line is a command,
{"id", "do", "args"}, which runs in a thread and is answered by {"id", "result"} or {"id", "error"}. Times are in milliseconds.
"""
import json
import os
import queue as q
import sys
import threading
from multiprocessing import queues, synchronize as s
from multiprocessing.connection import Connection


def rebuild(kind, descriptor):
    """Does what unpickling does in a process that CPython has spawned."""
    made = getattr(s, kind).__new__(getattr(s, kind))
    largest = descriptor.get("bound", 1 if kind in ("Lock", "RLock") else s.SEM_VALUE_MAX)
    recursive = s.RECURSIVE_MUTEX if kind == "RLock" else s.SEMAPHORE
    made.__setstate__((0, recursive, largest, descriptor["semaphore"]["name"]))
    return made


def rebuild_condition(descriptor):
    made = s.Condition.__new__(s.Condition)
    lock = rebuild(descriptor["lock"]["type"], descriptor["lock"])
    counters = (rebuild("Semaphore", {"semaphore": descriptor["condition"][key]}) for key in ("sleeping", "woken", "wait"))
    made.__setstate__((lock, *counters))
    return made


def rebuild_queue(descriptor):
    kind = descriptor["type"]
    made = getattr(queues, kind).__new__(getattr(queues, kind))
    ends = Connection(3, writable=False), Connection(4, readable=False)
    locks = rebuild("Lock", descriptor["rlock"]), rebuild("Lock", descriptor["wlock"])
    if kind == "SimpleQueue":
        made.__setstate__((*ends, *locks))
        return made
    places = rebuild("BoundedSemaphore", descriptor["places"])
    state = (False, descriptor["places"]["bound"], *ends, *locks, places, os.getpid())
    if kind == "JoinableQueue":
        state += rebuild_condition(descriptor["condition"]), rebuild("Semaphore", descriptor["unfinished"])
    made.__setstate__(state)
    return made


QUEUE = rebuild_queue(json.loads(sys.stdin.readline()))
SIMPLE = isinstance(QUEUE, queues.SimpleQueue)


def seconds(milliseconds):
    return None if milliseconds is None else milliseconds / 1000


def put(item, block=True, timeout=None):
    return QUEUE.put(item) if SIMPLE else QUEUE.put(item, block, seconds(timeout))


def get(block=True, timeout=None):
    return QUEUE.get() if SIMPLE else QUEUE.get(block, seconds(timeout))


def put_many(count, size=0):
    """Puts numbered items, each with `size` bytes beside its number."""
    for number in range(count):
        QUEUE.put([number, b"x" * size])


def get_many(count):
    return [get() for _ in range(count)]


def sizes(count):
    """Gets `count` items of put_many."""
    return [[number, len(data)] for number, data in get_many(count)]


def work():
    """Gets until None, as test_task_done does. Returns the number of items."""
    for count in range(1 << 30):
        item = QUEUE.get()
        QUEUE.task_done()
        if item is None:
            return count


CALLS = {
    "put": put,
    "get": get,
    "putNowait": lambda item: QUEUE.put_nowait(item),
    "getNowait": lambda: QUEUE.get_nowait(),
    "putMany": put_many,
    "getMany": get_many,
    "sizes": sizes,
    "work": work,
    "taskDone": lambda: QUEUE.task_done(),
    "join": lambda: QUEUE.join(),
    "qsize": lambda: QUEUE.qsize(),
    "empty": lambda: QUEUE.empty(),
    "full": lambda: QUEUE.full(),
    "close": lambda: QUEUE.close(),
    "joinThread": lambda: QUEUE.join_thread(),
    "cancelJoinThread": lambda: QUEUE.cancel_join_thread(),
}


def answer(number, function, arguments):
    try:
        reply = {"id": number, "result": function(*arguments)}
    except Exception as error:
        name = {q.Empty: "Empty", q.Full: "Full"}.get(type(error), type(error).__name__)
        reply = {"id": number, "error": name, "message": str(error)}
    # One write, so that the lines of threads do not mix.
    os.write(1, (json.dumps(reply) + "\n").encode())


for line in sys.stdin:
    command = json.loads(line)
    arguments = (command["id"], CALLS[command["do"]], command["args"])
    threading.Thread(target=answer, args=arguments, daemon=True).start()
