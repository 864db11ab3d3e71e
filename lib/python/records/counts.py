# SPDX-License-Identifier: MIT
#
# The semaphores of a queue that count its slots and its unfinished items. Records of each process say how many of them it has,
# so that accounts.py can tell what a dead process has taken along.
# globals: COUNTING, FINISHED_ELSEWHERE, IN_OTHER_HANDS, MANY, RESERVED, Semaphore, TURNS, UNRECORDED, WORD
# globals: recorded, sleep_until_taken
import threading, weakref
from multiprocessing import util


class Count:
    """How many slots or items this process has, in a record of its own on a semaphore."""

    def __init__(self, table, number):
        self.table, self.low, self.turn, self.number = table, table.low, table.turn, number
        self.forget()
        recorded.append(weakref.ref(self, recorded.remove))

    def forget(self):
        self.lock, self.at, self.count = threading.Lock(), self.table.record_for(self.number), 0

    def say(self, phase, count):
        # The turn has 8 bits here.
        self.low[self.at] = self.turn() << 20 & 0xff000000 | min(count, MANY) << 4 | phase

    def add(self, change):
        with self.lock:
            self.count = max(self.count + change, 0)
            self.say(RESERVED, self.count)

    def change(self, call, before, after):
        """Calls what changes the semaphore. The count is `before` more meanwhile, and `after` more if that has succeeded."""
        with self.lock:
            self.say(COUNTING, self.count + before)
            try:
                done = call()
                if done is not False:
                    self.count = max(self.count + after, 0)
                return done
            finally:
                self.say(RESERVED, self.count)


def counted_slots(semaphore, table, number, stream):
    """The slots of a queue. A record of the process says how many it has taken for items that are not in the pipe."""
    take, post, thread, low, turn = semaphore.acquire, semaphore.release, threading.get_ident, table.low, table.turn
    count, sleepers = Count(table, number), []
    # The threads that have returned the slot of an item that they got. multiprocessing does that once more.
    returned = set()

    def take_now():
        return take(False)

    def acquire(block=True, timeout=None):
        return count.change(take_now, 1, 1) or bool(block) and wait(timeout)

    def wait(timeout):
        index = sleepers.pop() if sleepers else table.record_for(number)
        try:
            got = sleep_until_taken(take, low, index, turn() & TURNS, timeout, slots.look)
            if got:
                count.add(1)
            return got
        finally:
            low[index] = turn() & TURNS
            sleepers.append(index)

    def return_slot():
        """An item has left the pipe."""
        returned.add(thread())
        try:
            post()
        except ValueError:
            pass  # More free slots than the queue has are the error of another member.

    def release():
        if thread() in returned:
            returned.discard(thread())
        elif stream.words[UNRECORDED]:
            post()
        else:
            # An item cannot be put after all.
            count.change(post, 0, -1)

    def forget():
        returned.clear()
        sleepers.clear()

    slots = Semaphore(semaphore, acquire, release)
    slots.add, slots.return_slot, slots.returned, slots.forget = count.add, return_slot, returned, forget
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
                words[IN_OTHER_HANDS] = words[IN_OTHER_HANDS] - 1 & WORD
            return done

        return in_hand.change(finish, 0, -1)

    items = Semaphore(semaphore, acquire, lambda: accepted.change(post, 1, 1))
    items.accepted, items.in_hand, items.take, items.number = accepted, in_hand, take, number
    return items


def finalizer(in_hand, words):
    """For the end of a process by itself: another member may still finish what this one has got."""

    def give_up():
        # Python cannot add atomically: a process that has nothing does not write beside one that has.
        if in_hand.count:
            words[IN_OTHER_HANDS] = words[IN_OTHER_HANDS] + in_hand.count & WORD
            in_hand.add(-in_hand.count)

    return lambda queue: util.Finalize(queue, give_up, exitpriority=0)
