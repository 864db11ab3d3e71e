# SPDX-License-Identifier: MIT
#
# Queues, as table.py explains. The two Connections of a queue get the methods of ends.py for reading and writing.
# globals: ACCEPTED, Accounts, Count, Reader, SLICE, Stream, Writer, address_of, counted_items, counted_slots, finalizer
# globals: replace, table_of
from multiprocessing import queues, util
from multiprocessing.synchronize import SEM_VALUE_MAX


def record_queue(queue, slots, unfinished=None):
    """Records what a queue object does from now on."""
    address = address_of(queue._rlock)
    if address is None:
        return
    table, stream = table_of(address[0]), Stream(queue._rlock._semlock.name)
    counted = items = None
    accepted = address_of(queue._wlock)[1] | ACCEPTED
    # Without a limit, no slot is missed.
    if slots is not None and slots._semlock.maxvalue < SEM_VALUE_MAX:
        replace(slots, counted_slots, table, address_of(slots)[1], stream)
        counted = slots._semlock
    if unfinished is not None:
        replace(unfinished, counted_items, table, address_of(unfinished)[1], stream, Count(table, accepted))
        items = unfinished._semlock
        stream.is_joinable = True
    rlock, wlock = queue._rlock._semlock, queue._wlock._semlock
    accounts = Accounts(table, stream, counted, items, accepted, rlock, wlock, queue._reader.fileno())
    reader, writer = Reader(queue._reader, accounts, rlock, wlock), Writer(queue._writer, accounts, wlock, rlock)
    if counted is not None:
        counted.look = accounts.check
    queue._reader._recv_bytes, queue._writer._send_bytes = reader.recv_bytes, writer.send_bytes
    queue._poll = reader.poll
    return accounts


def restored_queue(queue, state, restore=queues.Queue.__setstate__):
    """Replaces Queue.__setstate__ of multiprocessing."""
    restore(queue, state)
    if not isinstance(queue, queues.JoinableQueue):
        record_queue(queue, queue._sem)


def restored_joinable(queue, state, restore=queues.JoinableQueue.__setstate__):
    """Replaces JoinableQueue.__setstate__ of multiprocessing."""
    restore(queue, state)
    unfinished, condition = queue._unfinished_tasks, queue._cond
    accounts = record_queue(queue, queue._sem, unfinished)

    def join():
        """Replaces JoinableQueue.join. For what is lost with a process no member calls task_done, so nothing wakes this thread."""
        with condition:
            while not unfinished._semlock._is_zero():
                if not condition.wait(SLICE):
                    accounts.check()

    if accounts is not None:
        queue.join = join
        finalize = finalizer(accounts.items.in_hand)
        finalize(queue)
        # A process that begins forgets what was registered before.
        util.register_after_fork(queue, finalize)


def restored_simple(queue, state, restore=queues.SimpleQueue.__setstate__):
    """Replaces SimpleQueue.__setstate__ of multiprocessing."""
    restore(queue, state)
    record_queue(queue, None)


queues.Queue.__setstate__ = restored_queue
queues.JoinableQueue.__setstate__ = restored_joinable
queues.SimpleQueue.__setstate__ = restored_simple
