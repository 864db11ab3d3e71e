# SPDX-License-Identifier: MIT
#
# lock-peer <descriptor>: as lock-peer.ts, with multiprocessing's own classes. Timeouts are in seconds. "churn" acquires and
# releases until the next line comes, and its result is the number of times.
import json
import os
import select
import sys
from multiprocessing import synchronize

MOST = synchronize.SEM_VALUE_MAX


def rebuild(kind, state):
    made = kind.__new__(kind)
    made.__setstate__(state)
    return made


def semaphore(address):
    return rebuild(synchronize.Semaphore, (0, synchronize.SEMAPHORE, MOST, address['name']))


def lock(descriptor):
    name = descriptor['semaphore']['name']
    if descriptor['type'] == 'Lock':
        return rebuild(synchronize.Lock, (0, synchronize.SEMAPHORE, 1, name))
    if descriptor['type'] == 'RLock':
        return rebuild(synchronize.RLock, (0, synchronize.RECURSIVE_MUTEX, 1, name))
    return semaphore(descriptor['semaphore'])


def make(descriptor):
    if descriptor['type'] != 'Condition':
        return lock(descriptor)
    parts = [semaphore(descriptor['condition'][name]) for name in ('sleeping', 'woken', 'wait')]
    return rebuild(synchronize.Condition, (lock(descriptor['lock']), *parts))


def say(**what):
    print(json.dumps(what), flush=True)


def churn():
    count = 0
    while not select.select([0], [], [], 0)[0]:
        for _ in range(20):
            thing.acquire()
            thing.release()
            count += 1
    return count


thing = make(json.loads(sys.argv[1]))
say(ready=os.getpid())
while True:
    line = sys.stdin.readline()
    if not line:
        break
    call, *args = json.loads(line)
    if call == 'stop':
        continue
    say(calling=call)
    say(call=call, result=churn() if call == 'churn' else getattr(thing, call)(*args))
