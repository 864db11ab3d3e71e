# SPDX-License-Identifier: MIT
#
# The semaphores of a queue that count its slots and its unfinished items. Records of each process say how many of them it has,
# so that accounts.py can tell what a dead process has taken along.
# globals: COUNTING, FINISHED, FINISHED_ELSEWHERE, HEAD, LEFT, MANY, NOTES, NOTING, RESERVED, Semaphore, TURNS, UNRECORDED
# globals: recorded, sleep_until_taken
import functools, threading, weakref
from multiprocessing import util


# Differs from one change of a count to the next. It has 8 bits.
STEP, STEPS = 1 << 24, 0xff000000


class Count:
    """How many slots or items this process has, in a record of its own on a semaphore."""

    def __init__(self, table, number):
        self.table, self.low, self.number, self.step = table, table.low, number, 0
        self.forget()
        self.claim()
        recorded.append(weakref.ref(self, recorded.remove))

    def forget(self):
        """A process that was forked has no record until it needs one, since there may be no room."""
        self.lock, self.at, self.count = threading.Lock(), None, 0

    def claim(self):
        if self.at is None:
            self.at = self.table.record_for(self.number)

    def add(self, change):
        with self.lock:
            count = self.count + change
            self.count = count = count if count > 0 else 0
            self.step = step = self.step + STEP & STEPS
            self.low[self.at] = step | (count if count < MANY else MANY) << 4 | RESERVED

    def change(self, call, before, after):
        """Calls what changes the semaphore. The count is `before` more meanwhile, and `after` more if that has succeeded."""
        with self.lock:
            if self.at is None:
                self.claim()
            low, at, count = self.low, self.at, self.count
            self.step = step = self.step + STEP & STEPS
            low[at] = step | (count + before if count < MANY else MANY) << 4 | COUNTING
            try:
                done = call()
                if done is not False:
                    count = count + after if count or after > 0 else 0
                return done
            finally:
                self.count = count
                low[at] = step | (count if count < MANY else MANY) << 4 | RESERVED

    def note(self, words, head, position, end):
        """Notes an item of the count in the stream record. A process that is killed has done both or neither: see settle_noting()."""
        with self.lock:
            low, at, count = self.low, self.at, self.count
            self.count = count = count - 1 if count > 0 else 0
            self.step = step = self.step + STEP & STEPS
            state = step | (count if count < MANY else MANY) << 4
            words[NOTING] = head + 1
            low[at] = state | NOTES
            words[position] = end
            words[HEAD] = head + 1
            low[at] = state | RESERVED
            words[NOTING] = 0

    def leave(self):
        """What is counted remains, for others to finish."""
        with self.lock:
            self.low[self.at] = min(self.count, MANY) << 4 | LEFT
            self.at, self.count = None, 0


def counted_slots(semaphore, table, number, stream):
    """The slots of a queue. A record of the process says how many it has taken for items that are not in the pipe."""
    take, post, low, turn = semaphore.acquire, semaphore.release, table.low, table.turn
    count, sleepers, take_now = Count(table, number), [], functools.partial(take, False)
    # Has an element for each item whose slot was returned. multiprocessing does that once more.
    returned = []

    def acquire(block=True, timeout=None):
        return count.change(take_now, 1, 1) or bool(block) and wait(timeout)

    def wait(timeout):
        index = sleepers.pop() if sleepers else table.record_for(number)
        try:
            got = sleep_until_taken(take, low, index, turn(), timeout, slots.look)
            if got:
                count.add(1)
            return got
        finally:
            low[index] = turn()
            sleepers.append(index)

    def return_slot():
        """An item has left the pipe."""
        returned.append(True)
        try:
            post()
        except ValueError:
            pass  # More free slots than the queue has are the error of another member.

    def release():
        try:
            returned.pop()
            return
        except IndexError:
            pass
        if stream.words[UNRECORDED]:
            post()
        else:
            # An item cannot be put after all.
            count.change(post, 0, -1)

    def forget():
        returned.clear()
        sleepers.clear()

    slots = Semaphore(semaphore, acquire, release)
    slots.count, slots.return_slot, slots.returned, slots.forget = count, return_slot, returned, forget
    slots.post, slots.number = post, number
    recorded.append(weakref.ref(slots, recorded.remove))
    return slots


def counted_items(semaphore, table, number, stream, accepted):
    """The unfinished items of a JoinableQueue. Records of the process say how many it has accepted and not begun to write, and how
    many it has got and not finished."""
    take, post = semaphore.acquire, semaphore.release
    in_hand = Count(table, number)

    def acquire(block=True, timeout=None):
        """multiprocessing calls this with the lock of the queue's condition."""
        words, others = stream.words, in_hand.count == 0
        if others:
            stream.low[FINISHED_ELSEWHERE] = 1

        def finish():
            done = take(block, timeout)
            if done and others:
                words[FINISHED] += 1
            return done

        return in_hand.change(finish, 0, -1)

    items = Semaphore(semaphore, acquire, lambda: accepted.change(post, 1, 1))
    items.accepted, items.in_hand, items.take, items.number = accepted, in_hand, take, number
    return items


def finalizer(in_hand):
    """For the end of a process by itself: another member may still finish what this one has got."""

    def give_up():
        if in_hand.count:
            in_hand.leave()

    return lambda queue: util.Finalize(queue, give_up, exitpriority=0)
