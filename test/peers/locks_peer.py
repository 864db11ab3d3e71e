# SPDX-License-Identifier: MIT
"""The Python side of tests of locks: CPython's own objects, made here or opened by their names.

Each line of standard input is a command, {"id", "do", "args"}, and is answered by {"id", "result"} or {"id", "error"}.
A string among the arguments names an object. Times are in milliseconds.
"""
import json
import multiprocessing
import os
import re
import sys
import threading
import time
from multiprocessing import synchronize as s

CONTEXT = multiprocessing.get_context("spawn")
OBJECTS = {}
LARGEST = {"Lock": 1, "RLock": 1, "Semaphore": s.SEM_VALUE_MAX}


def seconds(milliseconds):
    return None if milliseconds is None else milliseconds / 1000


def rebuild(kind, address, largest=None):
    """Does what unpickling does in a process that CPython has spawned."""
    made = getattr(s, kind).__new__(getattr(s, kind))
    recursive = s.RECURSIVE_MUTEX if kind == "RLock" else s.SEMAPHORE
    made.__setstate__((0, recursive, largest or LARGEST[kind], address["name"]))
    return made


def rebuild_condition(lock, addresses):
    made = s.Condition.__new__(s.Condition)
    made.__setstate__((lock, *(rebuild("Semaphore", addresses[key]) for key in ("sleeping", "woken", "wait"))))
    return made


def attach(descriptor):
    kind = descriptor["type"]
    if kind == "Condition":
        return rebuild_condition(attach(descriptor["lock"]), descriptor["condition"])
    if kind == "Event":
        parts = descriptor["event"]
        made = s.Event.__new__(s.Event)
        made._cond = rebuild_condition(rebuild("Lock", parts["lock"]), parts["condition"])
        made._flag = rebuild("Semaphore", parts["flag"])
        return made
    return rebuild(kind, descriptor["semaphore"], descriptor.get("bound"))


def address_of(semaphore):
    return {"name": semaphore._semlock.name}


def addresses_of(condition):
    parts = condition._sleeping_count, condition._woken_count, condition._wait_semaphore
    return dict(zip(("sleeping", "woken", "wait"), map(address_of, parts)))


def describe(made):
    kind = type(made).__name__
    if kind == "Condition":
        return {"type": kind, "lock": describe(made._lock), "condition": addresses_of(made)}
    if kind == "Event":
        parts = {"lock": address_of(made._cond._lock), "condition": addresses_of(made._cond)}
        return {"type": kind, "event": {**parts, "flag": address_of(made._flag)}}
    found = {"type": kind, "semaphore": address_of(made)}
    return {**found, "bound": made._semlock.maxvalue} if kind == "BoundedSemaphore" else found


def resolve(argument):
    return OBJECTS[argument] if isinstance(argument, str) else argument


def make(name, kind, *arguments):
    OBJECTS[name] = getattr(CONTEXT, kind)(*map(resolve, arguments))
    return describe(OBJECTS[name])


def acquire(lock, *arguments):
    if len(arguments) < 2:
        return lock.acquire(*arguments)
    block, timeout = arguments
    return lock.acquire(timeout=seconds(timeout)) if block is None else lock.acquire(block, seconds(timeout))


def shown(event):
    """Event has such a __repr__ from 3.13 on."""
    found = re.match(r"<Event at .* (set|unset)>$", repr(event))
    if "__repr__" in vars(s.Event) and found is None:
        raise RuntimeError(repr(event))
    return found[1] if found else ("set" if event.is_set() else "unset")


def context(lock, inside, leave):
    with lock:
        inside.release()
        leave.acquire()


def f(cond, sleeping, woken, timeout=None):
    cond.acquire()
    sleeping.release()
    result = cond.wait(seconds(timeout))
    woken.release()
    cond.release()
    return result


def notify(cond, n=1):
    with cond:
        cond.notify(n)


def notify_all(cond):
    with cond:
        cond.notify_all()


def wait(cond, timeout=None):
    with cond:
        return cond.wait(seconds(timeout))


def wait_for(cond, state, value, timeout=None):
    with cond:
        return cond.wait_for(lambda: state.get_value() == value, seconds(timeout))


def increase(cond, state, times):
    for _ in range(times):
        with cond:
            state.release()
            cond.notify()


def waitfor(cond, state):
    result = wait_for(cond, state, 1)
    increase(cond, state, 4)
    return result


def waitfor_f(cond, state):
    with cond:
        state.release()
        cond.notify()
        return cond.wait_for(lambda: state.get_value() == 5)


def set_when_waited_for(event, sleepers):
    while sleepers.get_value() == 0:
        time.sleep(0.001)
    event.set()


# These run on the main thread, which owns what it acquires.
CALLS = {
    "make": make,
    "open": lambda name, descriptor: OBJECTS.update({name: attach(descriptor)}),
    "acquire": acquire,
    "release": lambda lock: lock.release(),
    "value": lambda lock: lock._semlock._get_value(),
    "is_set": lambda event: event.is_set(),
    "set": lambda event: event.set(),
    "clear": lambda event: event.clear(),
    "shown": shown,
}

# These run in a thread of their own each time.
TARGETS = {
    "context": context,
    "f": f,
    "notify": notify,
    "notify_all": notify_all,
    "wait": wait,
    "wait_for": wait_for,
    "increase": increase,
    "waitfor": waitfor,
    "waitfor_f": waitfor_f,
    "wait_event": lambda event, timeout=None: event.wait(seconds(timeout)),
    "set_when_waited_for": set_when_waited_for,
}


def answer(number, function, arguments):
    try:
        reply = {"id": number, "result": function(*arguments)}
    except Exception as error:
        reply = {"id": number, "error": type(error).__name__, "message": str(error)}
    # One write, so that the lines of threads do not mix.
    os.write(1, (json.dumps(reply) + "\n").encode())


for line in sys.stdin:
    command = json.loads(line)
    number, do, arguments = command["id"], command["do"], command["args"]
    if do not in ("make", "open"):
        arguments = list(map(resolve, arguments))
    if do in CALLS:
        answer(number, CALLS[do], arguments)
    else:
        threading.Thread(target=answer, args=(number, TARGETS[do], arguments), daemon=True).start()
