# SPDX-License-Identifier: MIT
"""Connections that travel inside pickles, with CPython's own resource_sharer.

usage: sharer_peer.py MODE KEY

Descriptor 3 is a duplex Connection. KEY is the authkey of this family of
processes, in hexadecimal, which a child of multiprocessing would be given.
"""
import sys
from multiprocessing import Pipe, current_process
from multiprocessing.connection import Client, Connection, Listener

MODE = sys.argv[1]
current_process().authkey = bytes.fromhex(sys.argv[2])
CONNECTION = Connection(3)


def say(line):
    print(line, flush=True)


def listener():
    """test_pickling's _listener: sends the connections that it accepts."""
    for family in CONNECTION.recv():
        with Listener(family=family) as listening:
            CONNECTION.send(listening.address)
            accepted = listening.accept()
            CONNECTION.send(accepted)
            accepted.close()
    CONNECTION.recv()


def remote():
    """test_pickling's _remote: sends a message to each address."""
    for address, message in iter(CONNECTION.recv, None):
        address = tuple(address) if isinstance(address, list) else address
        with Client(address) as client:
            client.send(message.upper())
    CONNECTION.close()


def child_access():
    """test_access's child."""
    writer = CONNECTION.recv()
    say("%s %s" % (writer.readable, writer.writable))
    writer.send("all is well")
    writer.close()
    reader = CONNECTION.recv()
    say("%s %s" % (reader.readable, reader.writable))
    message = reader.recv()
    CONNECTION.send(message * 2)
    CONNECTION.close()


def access():
    """test_access's parent."""
    reader, writer = Pipe(duplex=False)
    CONNECTION.send(writer)
    say(reader.recv())
    writer.close()
    reader, writer = Pipe(duplex=False)
    CONNECTION.send({"deep": [reader, reader]})
    writer.send("foobar")
    writer.close()
    say(CONNECTION.recv())


def lost():
    """Sends a connection, and has ended before the connection can be collected."""
    CONNECTION.send(Pipe()[0])
    say("sent")


def offers():
    """Sends a connection, and waits for the end."""
    CONNECTION.send(Pipe()[0])
    try:
        CONNECTION.recv()
    except EOFError:
        pass


def fails():
    """Prints the error for a connection that cannot be collected."""
    try:
        CONNECTION.recv()
    except Exception as error:
        say(type(error).__name__)


globals()[MODE]()
