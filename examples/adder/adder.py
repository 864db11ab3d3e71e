# SPDX-License-Identifier: MIT
def adder(server, client):
    client.close()
    while True:
        try:
            x, y = server.recv()
        except EOFError:
            break
        server.send(x + y)
    print("Server done")
