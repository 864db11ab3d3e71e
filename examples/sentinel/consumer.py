# SPDX-License-Identifier: MIT
def consumer(queue):
    while True:
        item = queue.get()
        if item is None:
            break
        print(item)
    print("Consumer done")
