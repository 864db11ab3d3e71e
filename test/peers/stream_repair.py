# SPDX-License-Identifier: MIT
#
# What a Python member does with the stream record of a queue whose reader was killed while it read three of five items in one
# call. Prints a JSON list for each step at which it may have been killed: the sizes of the items that were left, and how many
# count as dropped and as lost.
import json
import os
import sys
import threading
import types

space = {'__name__': 'records', 'open_block': None}
for name in ('streams', 'ends'):
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
    reader.accounts = types.SimpleNamespace(finish_lost=stream.count_lost, check=lambda: None)
    reader.poller = space['select'].poll()
    reader.poller.register(reading, space['select'].POLLIN)
    sizes = []
    while words[space['TAIL']] < words[space['HEAD']]:
        sizes.append(len(reader.recv_bytes().read()))
    os.close(reading)
    os.close(writing)
    return [sizes, words[space['DROPPED']], words[space['LOST']]]


print(json.dumps([left_after(step) for step in range(5)]))
