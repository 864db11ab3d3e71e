# SPDX-License-Identifier: MIT
#
# Whether the slots and the unfinished items of a queue add up, as native/recovery/queue_accounts.h has it. Each slot is free, or
# belongs to an item in the pipe, or a living process counts it. What is missing, dead processes have taken with them.
# globals: COUNTING, FINISHED, FINISHED_ELSEWHERE, FIRST, FOLDING, HEAD, IN_OTHER_HANDS, LEFT, LEFT_AFTER, LEFT_ITEMS
# globals: LOST_BY_READERS, LOST_BY_WRITERS, NOTES, NOTING, PHASE, RESERVED, SLEEPING, TAIL, UNRECORDED, repair_both

# With the number of a queue's `wlock`, for the items that a member has accepted and not begun to write.
ACCEPTED = 1 << 31
# A larger count is recorded as this one, and then is none.
MANY = 0xfffff
WORD = (1 << 64) - 1


def count_in(state):
    return state >> 4 & MANY


class Accounts:
    """The accounts of one queue. `slots` is None without a limit, and `items` if it is no JoinableQueue."""

    def __init__(self, table, stream, slots, items, accepted, rlock, wlock, fd):
        self.table, self.stream, self.slots, self.items, self.accepted = table, stream, slots, items, accepted
        self.rlock, self.wlock, self.fd = rlock, wlock, fd
        stream.settle_noting = self.settle_noting
        # What was seen when threads that sleep may have had slots.
        self.seen = None

    def check(self):
        """Returns what is missing. Does nothing while members are at work: a later call finds the same."""
        # The table may have grown, by records that are not mapped here.
        if not (self.slots or self.items) or self.stream.words[UNRECORDED] or self.table.low[5] != 1:
            return
        # With both locks no item enters the pipe or leaves it. A thread that waits for an item has one of them.
        if not self.wlock.acquire(False):
            return
        try:
            if self.rlock._is_mine():
                self.check_with_locks()
            elif self.rlock.acquire(False):
                try:
                    self.check_with_locks()
                finally:
                    self.rlock.release()
        finally:
            self.wlock.release()

    def check_with_locks(self):
        stream = self.stream
        if not (stream.writer_rests() and stream.reader_rests()):
            repair_both(stream, self.fd)
        not_written = self.reap(self.accepted)
        if self.items is None:
            stream.words[LOST_BY_WRITERS] += not_written
        else:
            self.check_items()
        if self.slots is not None:
            self.check_slots()

    def settle_noting(self):
        """With the lock for writing: see SettleNoting() in native/recovery/stream_repair.h."""
        words, noting = self.stream.words, self.stream.words[NOTING]
        if noting:
            items = max(noting - words[HEAD], 0)
            for number in (self.accepted, self.slots.number if self.slots else self.accepted):
                for at, state in self.records(number, NOTES):
                    count = min(count_in(state) + items, MANY)
                    self.table.low[2 * at] = state + (1 << 24) & 0xff000000 | count << 4 | RESERVED
            words[NOTING] = 0

    def depth(self):
        return self.stream.words[HEAD] - self.stream.words[TAIL]

    def records(self, number, *phases):
        """The records of a semaphore in these phases: their places and states."""
        states = self.table.words[8::4].tolist()
        return [(8 + 4 * i, state) for i, state in enumerate(states) if state >> 32 == number and state & PHASE in phases]

    def reap(self, number, leave=False, first=0):
        """Removes the records of processes that have ended, or leaves their items to others. Returns how many these had counted,
        for certain."""
        words, ended, found = self.table.words, {}, 0
        for at, state in self.records(number, RESERVED, COUNTING, SLEEPING):
            owner = words[at + 3] & 0xffffffff, words[at + 1], words[at + 2]
            if owner not in ended:
                ended[owner] = self.table.owner.has_ended(*owner)
            if not ended[owner]:
                continue
            # What it did last may have come after the state was read.
            state = words[at]
            count = 0 if state & PHASE == SLEEPING else count_in(state)
            words[at] = state & ~PHASE | LEFT if leave and count else 0
            if at >= first:
                found += count - (count > 0 and state & PHASE == COUNTING)
        return found

    def total(self, number):
        """What living processes count, and the records that say so. The total is None if one of them is changing."""
        records = self.records(number, RESERVED, COUNTING, LEFT)
        if any(state & PHASE == COUNTING or count_in(state) == MANY for _, state in records):
            return None, records
        return sum(count_in(state) for _, state in records), records

    def check_items(self):
        """An unfinished item is in the pipe, or a living process counts it."""
        items, words = self.items, self.stream.words
        self.reap(items.number, self.stream.low[FINISHED_ELSEWHERE] != 0)
        self.fold_left(items.number)

        def known():
            others = words[IN_OTHER_HANDS] + words[LEFT_ITEMS] - words[FINISHED] & WORD
            return self.total(self.accepted), self.total(items.number), others

        before = (accepted, _), (in_hand, _), others = known()
        value = items._get_value()
        if accepted is None or in_hand is None or before != known() or value != items._get_value():
            return
        # The number in other hands is signed.
        others -= others >> 63 << 64
        self.finish_lost(value - accepted - in_hand - others - self.depth())

    def fold_left(self, number):
        """See QueueAccounts::FoldLeft() in native/recovery/queue_accounts.h."""
        words, table = self.stream.words, self.table.words
        while True:
            if not words[FOLDING]:
                found = self.records(number, LEFT)
                if not found:
                    return
                at, state = found[0]
                words[LEFT_AFTER] = words[LEFT_ITEMS] + count_in(state)
                words[FOLDING] = (at - 4 >> 2) << 32 | state & 0xffffffff
            words[LEFT_ITEMS] = words[LEFT_AFTER]
            at, state = (words[FOLDING] >> 32 << 2) + 4, number << 32 | words[FOLDING] & 0xffffffff
            if table[at] == state:
                table[at] = 0
            words[FOLDING] = 0

    def finish_lost(self, count):
        """Items are lost. Those that count as unfinished do so no more. With the lock for reading."""
        for _ in range(count):
            if self.items is not None and not self.items.take(False):
                return
            self.stream.words[LOST_BY_READERS] += 1

    def check_slots(self):
        slots, words = self.slots, self.stream.words
        # Python members take a slot for each item that they accept, and count items in JoinableQueues only.
        not_written = self.reap(slots.number, first=FIRST)
        if self.items is None:
            words[LOST_BY_WRITERS] += not_written
        taken, records = self.total(slots.number)
        sleepers = dict(self.records(slots.number, SLEEPING))
        free = slots._get_value()
        if taken is None or (taken, records) != self.total(slots.number) or free != slots._get_value():
            return
        missing = slots.maxvalue - free - taken - self.depth()
        if not self.slept_in_vain(sleepers, (free, records, words[HEAD], words[TAIL])):
            # Each of them may have a slot.
            missing -= len(sleepers)
        for _ in range(missing):
            try:
                slots.post()
            except ValueError:
                return  # More free slots than the queue has are the error of another member.

    def slept_in_vain(self, sleepers, rest):
        """Whether none of the threads that sleep had a slot at an earlier look, when all else was the same: each has said since, in
        the same wait, that its sleep was in vain."""
        # A state without the number of sleeps names a wait.
        now = rest, {at: state & ~0xfff0 for at, state in sleepers.items()}
        if self.seen is None or self.seen[0] != now:
            self.seen = now, sleepers
        return all(self.seen[1][at] != state for at, state in sleepers.items())
