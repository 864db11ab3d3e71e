# SPDX-License-Identifier: MIT
#
# lock-count <descriptor> <file> <count>: as lock-count.ts.
import json
import os
import struct
import sys
from multiprocessing import synchronize

lock = synchronize.Lock.__new__(synchronize.Lock)
lock.__setstate__((0, synchronize.SEMAPHORE, 1, json.loads(sys.argv[1])['semaphore']['name']))
number = os.open(sys.argv[2], os.O_RDWR)
print('ready', flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[3])):
    with lock:
        os.pwrite(number, struct.pack('<q', struct.unpack('<q', os.pread(number, 8, 0))[0] + 1), 0)
