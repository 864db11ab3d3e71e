# SPDX-License-Identifier: MIT
"""The Python child of the probe "python". Its parent is Node or Python."""


def talk(connection, mode):
    try:
        if mode == "round-trip":
            while True:
                connection.send_bytes(connection.recv_bytes())
        import numpy

        if mode == "sum":
            while True:
                connection.send_bytes(str(connection.recv().sum()).encode())
        if mode == "to-numpy":
            while True:
                assert isinstance(connection.recv(), numpy.ndarray)
                connection.send_bytes(b"1")
        array = numpy.arange(1024 * 1024, dtype="float64")
        while True:
            connection.recv_bytes()
            connection.send(array)
    except EOFError:
        pass
