# SPDX-License-Identifier: MIT
#
# The Python worker: digests what arrives on descriptor 3 and ends when there is
# nothing more to come. Nothing is installed for it. The messages are described
# in protocol.mjs.
import hashlib
import sys
from multiprocessing.connection import Connection

LAST = 1
DROP = 2

connection = Connection(3)
digest = hashlib.sha256()
try:
    while True:
        message = memoryview(connection.recv_bytes())
        kind = message[0]
        if kind != DROP:
            digest.update(message[1:])
        if kind == LAST:
            connection.send_bytes(digest.digest())
        if kind in (LAST, DROP):
            digest = hashlib.sha256()
except EOFError:
    pass
except OSError as error:
    # The parent ended in the middle of something.
    sys.exit(f"worker.py: {error}")
