# SPDX-License-Identifier: MIT
def consumer(output, input):
    input.close()  # This process only reads.
    while True:
        try:
            item = output.recv()
        except EOFError:
            break
        print(item)
    print("Consumer done")
