# SPDX-License-Identifier: MIT
"""The other end of a connection, two queues and a lock of a Node process in which system calls are refused."""


def talk(conn, requests, replies, lock):
    """Does what it is told, and answers, until the end of data."""
    while True:
        try:
            command = conn.recv()
        except EOFError:
            return
        if command == 'pass on':
            replies.put(requests.get())
        elif command == 'try':
            conn.send(lock.acquire(False))
        elif command == 'acquire':
            conn.send(lock.acquire())
        elif command == 'release':
            lock.release()
        else:
            conn.send(command)
