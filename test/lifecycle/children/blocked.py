# SPDX-License-Identifier: MIT
#
# Receives, or sends, messages on descriptor 3 in CPython's blocking way. If another process makes the descriptor
# non-blocking, this program ends with BlockingIOError.
import sys
from multiprocessing.connection import Connection

receives = sys.argv[1] == 'receive'
connection = Connection(3, readable=receives, writable=not receives)
print('started')
if receives:
    for _ in range(3):
        print(len(connection.recv_bytes()))
else:
    connection.send_bytes(b'x' * 1000000)
    print('sent')
