# SPDX-License-Identifier: MIT
"""CPython's own Listener and Client, for tests.

usage: listener_peer.py MODE ARGUMENT...

Addresses are JSON. A key is `none` or hexadecimal. Whatever fails is printed as
the exception's name.
"""
import json
import os
import sys
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener

MODE, ARGUMENTS = sys.argv[1], sys.argv[2:]


def say(line):
    print(line, flush=True)


def key_from(text):
    return None if text == "none" else bytes.fromhex(text)


def address_from(text):
    address = json.loads(text)
    return tuple(address) if isinstance(address, list) else address


def json_of(address):
    return json.dumps(address.decode() if isinstance(address, bytes) else address)


def echo(connection):
    """Sends every message back until the end of data."""
    with connection:
        while True:
            try:
                connection.send_bytes(connection.recv_bytes())
            except EOFError:
                return


def client(address, key):
    """Connects, reports it, and echoes."""
    try:
        connection = Client(address_from(address), authkey=key_from(key))
    except (AuthenticationError, EOFError, OSError, AssertionError) as error:
        say(type(error).__name__)
        return
    say("connected")
    echo(connection)


def hello(address, key):
    """test_listener_client's child."""
    with Client(address_from(address), authkey=key_from(key)) as connection:
        connection.send_bytes(b"hello")


def gone(address, key):
    """test_issue14725's child: writes, and has closed before it is accepted."""
    with Client(address_from(address), authkey=key_from(key)) as connection:
        connection.send_bytes(b"hello")
    say("closed")


def listener(address, family, key, count):
    """Listens, prints its address, and echoes for `count` connections, one after the other."""
    with Listener(
        address_from(address), None if family == "none" else family, authkey=key_from(key)
    ) as listening:
        say(json_of(listening.address))
        for _ in range(int(count)):
            try:
                connection = listening.accept()
            except (AuthenticationError, EOFError, OSError) as error:
                say(type(error).__name__)
                continue
            say("accepted")
            echo(connection)


def drip(address):
    """Connects without a key, and is killed inside a message."""
    connection = Client(address_from(address))
    os.write(connection.fileno(), b"\0\0")
    say("ready")
    sys.stdin.read()


globals()[MODE](*ARGUMENTS)
