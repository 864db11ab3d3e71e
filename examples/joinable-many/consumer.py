# SPDX-License-Identifier: MIT
def consumer(queue):
    while True:
        item = queue.get()
        print(item, flush=True)
        queue.task_done()
