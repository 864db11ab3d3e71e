# SPDX-License-Identifier: MIT
#
# What a Python member does with the stream record of a queue whose reader was killed while it read three of five items in one
# call, and of one whose writer was killed while it noted an item. Prints a JSON list for each step at which it may have been
# killed: the sizes of the items that were left, and how many count as dropped and as lost; then how many items are in the record
# and lost, and how many slots are free.
import json
import os
import sys
import threading
import types

space = {'__name__': 'records', 'folders': []}
for name in ('table', 'locks', 'streams', 'accounts', 'counts', 'ends'):
    with open(os.path.join(sys.argv[1], name + '.py')) as source:
        exec(compile(source.read(), name, 'exec'), space)

SIZES = [10, 70, 40, 20, 50]
TOGETHER = sum(SIZES[:3]) + 3 * 4


def left_after(step):
    stream = space['Stream'].__new__(space['Stream'])
    words = stream.words = memoryview(bytearray(8 * (space['ENDS'] + space['ENTRIES']))).cast('Q')
    stream.is_joinable = False
    reading, writing = os.pipe()
    for i, size in enumerate(SIZES):
        os.write(writing, size.to_bytes(4, 'big') + bytes(size))
        words[space['ENDS'] + i] = words[space['WRITTEN']] = words[space['WRITTEN']] + size + 4
        words[space['HEAD']] += 1
    if step >= 1:
        words[space['READ_INTENT']] = TOGETHER
    if step >= 2:
        os.read(reading, TOGETHER)
    if step >= 3:
        words[space['READ']] += TOGETHER
    if step >= 4:
        words[space['READ_INTENT']] = 0
    reader = space['Reader'].__new__(space['Reader'])
    reader.words, reader.stream, reader.fd, reader.other = words, stream, reading, threading.Lock()
    reader.slots = reader.items = None
    reader.accounts = types.SimpleNamespace(finish_lost=lambda items: stream.count_lost(items, space['LOST_BY_READERS']))
    reader.poller = space['select'].poll()
    reader.poller.register(reading, space['select'].POLLIN)
    sizes = []
    while words[space['TAIL']] < words[space['HEAD']]:
        sizes.append(len(reader.recv_bytes().read()))
    os.close(reading)
    os.close(writing)
    return [sizes, words[space['DROPPED']], words[space['LOST_BY_READERS']]]


class Killed(BaseException):
    pass


class Dying:
    """Words of which a process changes so many before it is killed."""

    steps = 0

    def __init__(self, words):
        self.words = words

    def __getitem__(self, index):
        return self.words[index]

    def __setitem__(self, index, value):
        if Dying.steps == 0:
            raise Killed
        Dying.steps -= 1
        self.words[index] = value


def counted_after(step):
    stream, table = space['Stream'].__new__(space['Stream']), space['Table'].__new__(space['Table'])
    stream.words, table.words = (memoryview(bytearray(65536)).cast('Q') for _ in range(2))
    stream.is_joinable, stream.low, table.low = False, stream.words.cast('B').cast('I'), table.words.cast('B').cast('I')
    table.owner, table.turn = types.SimpleNamespace(has_ended=lambda *owner: True), iter(range(16, 4096, 16)).__next__
    at, number = 2 * space['FIRST'], 7
    table.words[at // 2] = number << 32
    table.record_for = lambda number: at
    free = [4]

    def post():
        free[0] += 1

    slots = types.SimpleNamespace(number=number, maxvalue=5, _get_value=lambda: free[0], post=post)
    count = space['Count'](table, number)
    count.add(1)
    count.low, Dying.steps = Dying(table.low), step
    try:
        count.note(Dying(stream.words), 0, space['ENDS'], 14)
        died = False
    except Killed:
        died = True
    reading, writing = os.pipe()
    accounts = space['Accounts'](table, stream, slots, None, 1 << 31, None, None, reading)
    accounts.check_with_locks()
    os.close(reading)
    os.close(writing)
    return died, [accounts.depth(), stream.words[space['LOST_BY_WRITERS']], free[0]]


noted = []
while not noted or noted[-1][0]:
    noted.append(counted_after(len(noted)))
print(json.dumps([[left_after(step) for step in range(5)], [left for _, left in noted]]))
