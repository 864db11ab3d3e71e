# SPDX-License-Identifier: MIT
"""Makes, reads and compares pickles for tests.

Descriptor 3 is a duplex Connection. A request is one message of JSON, and the
pickles that belong to it are messages of their own behind it; so is the answer.
"""
import array
import collections
import copyreg
import dataclasses
import datetime
import decimal
import functools
import json
import math
import pickle
import random
import sys
import uuid
from multiprocessing.connection import Connection

try:
    import numpy
except ImportError:
    numpy = None
try:
    import zoneinfo
except ImportError:
    zoneinfo = None

CONNECTION = Connection(3)


class Point:
    __hash__ = object.__hash__

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __eq__(self, other):
        return type(other) is Point and same(self.__dict__, other.__dict__)


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a = a
        self.b = b

    def __eq__(self, other):
        return type(other) is Slotted and (self.a, self.b) == (other.a, other.b)


class Mixed(Slotted):
    """Has slots and a __dict__."""

    def __init__(self, a, b, c):
        super().__init__(a, b)
        self.c = c

    def __eq__(self, other):
        return type(other) is Mixed and (self.a, self.b, self.__dict__) == (other.a, other.b, other.__dict__)


class Listed(Slotted):
    """Its state is a list, as that of a frozen dataclass with slots."""

    __slots__ = ()

    def __getstate__(self):
        return [self.a, self.b]

    def __setstate__(self, state):
        self.a, self.b = state

    def __eq__(self, other):
        return type(other) is Listed and (self.a, self.b) == (other.a, other.b)


class Keyword:
    """Its __new__ needs a keyword."""

    def __new__(cls, first, *, second):
        self = super().__new__(cls)
        self.both = (first, second)
        return self

    def __getnewargs_ex__(self):
        return (self.both[0],), {"second": self.both[1]}

    def __getstate__(self):
        return None


class Called:
    """Pickled as a call."""

    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return Called, self.args

    def __eq__(self, other):
        return type(other) is Called and same(self.args, other.args)


class Strict(Called):
    """Accepts a tuple as its state, and nothing else."""

    __hash__ = object.__hash__

    def __init__(self):
        self.state = ()

    def __reduce__(self):
        return Strict, (), self.state

    def __setstate__(self, state):
        if type(state) is not tuple:
            raise TypeError("a state of %s" % type(state))
        self.state = state

    def __eq__(self, other):
        return type(other) is Strict and same(self.state, other.state)


def strict(*state):
    value = Strict()
    value.state = state
    return value


def set_point(value, state):
    value.x, value.y = state


class ByFunction(Point):
    """Gets its state by a function."""

    def __reduce__(self):
        return copyreg.__newobj__, (ByFunction,), (self.x, self.y), None, None, set_point

    def __eq__(self, other):
        return type(other) is ByFunction and same(self.__dict__, other.__dict__)


class Members(set):
    pass


def member_of_itself():
    value = Strict()
    value.state = (Members([value]), 1)
    return value


class Inside(Called):
    """Has an argument that is made anew for each pickle."""

    def __reduce__(self):
        return Inside, ([*self.args[0]],)


def inside_itself(nested=0):
    inner = Strict()
    value = Inside([[inner]] if nested else [inner])
    inner.state = (value, 1)
    return value


Pair = collections.namedtuple("Pair", "left right")


def cyclic_list():
    value = [1]
    value.append(value)
    return value


def cyclic_dict(**entries):
    value = dict(entries)
    value["self"] = value
    return value


def cyclic_map():
    value = {"first": 1}
    value["self"] = value
    value[2] = "two"
    return value


def cyclic_tuple():
    value = ([],)
    value[0].append(value)
    return value


def shared():
    value = {"a": 1}
    return [value, value, [value]]


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def native(array):
    """An array as this package keeps it: in C order and in this machine's byte order."""
    dtype = numpy.dtype("f4") if array.dtype.kind + str(array.itemsize) == "f2" else array.dtype.newbyteorder("=")
    return numpy.array(array, dtype=dtype, order="C", subok=False)


def same(a, b):
    """Whether two values are equal, with the same types at every level."""
    if type(a) is not type(b):
        return False
    if numpy is not None and isinstance(a, numpy.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, (list, tuple, collections.deque)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(map(typed, a)) == list(map(typed, b)) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (set, frozenset)):
        return set(map(typed, a)) == set(map(typed, b))
    if isinstance(a, BaseException):
        return same(a.args, b.args) and same(a.__dict__, b.__dict__)
    if isinstance(a, array.array):
        return a.typecode == b.typecode and a.tobytes() == b.tobytes()
    if isinstance(a, decimal.Decimal):
        return a.as_tuple() == b.as_tuple()
    if isinstance(a, datetime.datetime):
        return a == b and a.utcoffset() == b.utcoffset() and a.fold == b.fold
    return a == b


def typed(key):
    """A key that equals only keys of its own type."""
    if isinstance(key, (tuple, frozenset)):
        return type(key), type(key)(map(typed, key))
    return type(key), repr(key) if isinstance(key, float) else key


def dumps():
    """The pickle of an expression, by the Pickler in C or by that in Python."""
    pickler = pickle._dumps if REQUEST.get("slow") else pickle.dumps
    return pickler(eval(REQUEST["expression"]), REQUEST["protocol"])


def compare():
    """Whether a pickle holds the value of an expression."""
    data = CONNECTION.recv_bytes()
    value = pickle.loads(data)
    expected = eval(REQUEST["expression"])
    if same(value, expected):
        return b""
    return ("%s %r, not %s %r" % (type(value), value, type(expected), expected)).encode(errors="backslashreplace")


def alike():
    """Whether an expression about a value gives the same for a pickle and for another expression."""
    first, second = pickle.loads(CONNECTION.recv_bytes()), eval(REQUEST["expression"])
    return str(same(*(eval(REQUEST["view"], {**globals(), "value": value}) for value in (first, second)))).encode()


def view():
    """The text of an expression about the value of a pickle."""
    return repr(eval(REQUEST["view"], {**globals(), "value": pickle.loads(CONNECTION.recv_bytes())})).encode()


def echo():
    """Decodes a pickle and pickles the value again."""
    return pickle.dumps(pickle.loads(CONNECTION.recv_bytes()), REQUEST["protocol"])


def optimize():
    """A pickle without the memo numbers that are not used."""
    import pickletools

    return pickletools.optimize(CONNECTION.recv_bytes())


# The module of the classes above, as pickles that are made here name it.
sys.modules["pickles"] = sys.modules["__main__"]
if numpy is not None:

    class Derived(numpy.ndarray):
        pass

    Derived.__module__ = "pickles"

if sys.version_info >= (3, 10):
    Frozen = dataclasses.make_dataclass("Frozen", ["left", "right"], frozen=True, slots=True)
else:
    Frozen = dataclasses.make_dataclass("Frozen", ["left", "right"], frozen=True)
for thing in (Point, Slotted, Mixed, Listed, Strict, Members, Inside, Keyword, Called, Pair, Frozen):
    thing.__module__ = "pickles"

while True:
    try:
        REQUEST = json.loads(CONNECTION.recv_bytes())
    except EOFError:
        break
    try:
        ANSWER = globals()[REQUEST["do"]]()
    except Exception as error:  # The test judges the failure.
        CONNECTION.send_bytes(("%s: %s" % (type(error).__name__, error)).encode(errors="backslashreplace"))
        CONNECTION.send_bytes(b"")
    else:
        CONNECTION.send_bytes(b"")
        CONNECTION.send_bytes(ANSWER)
