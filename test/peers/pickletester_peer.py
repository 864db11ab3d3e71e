# SPDX-License-Identifier: MIT
"""Runs the tests of pickles that this Python brings along, with Node between dumps and loads.

Descriptor 3 is a duplex Connection. Each message is a pickle; the answer is the
pickle that Node makes of the value, or an empty message if Node refuses it.
The last message is the report in JSON.
"""
import collections
import json
import pickle
import sys
import unittest
from multiprocessing.connection import Connection

from test import pickletester

CONNECTION = Connection(3)


class Refused(Exception):
    """Node does not take the pickle, or cannot write its value."""


def through_node(data):
    CONNECTION.send_bytes(b"p" + data)
    answer = CONNECTION.recv_bytes()
    if not answer:
        raise Refused()
    return answer


def kept(value, seen=()):
    """What docs/python.md says that comes back of a value."""
    if id(value) in seen:
        return "itself", len(seen) - seen.index(id(value))
    inside = seen + (id(value),)
    if type(value) is float and value.is_integer() and not (value == 0 and str(value)[0] == "-"):
        return int(value) if abs(value) < 2 ** 53 else value
    if type(value) is bytearray:
        return bytes(value)
    if type(value) in (list, tuple, collections.deque):
        return [kept(item, inside) for item in value]
    if type(value) in (dict, collections.OrderedDict, collections.defaultdict, collections.Counter):
        return {key: kept(item, inside) for key, item in value.items()}
    if type(value) is frozenset:
        return set(value)
    return value


class Box:
    """An object of a class that Node does not know: inside of it, tuples come back as tuples."""

    def __init__(self, value):
        self.value = value


class Base(unittest.TestCase):
    bad_stack_errors = truncated_errors = bad_mark_errors = truncated_data_error = (Exception,)
    pickler = pickle.Pickler
    unpickler = pickle.Unpickler

    def assertEqual(self, first, second, msg=None):
        first, second = kept(first), kept(second)
        numbers = isinstance(first, int) and isinstance(second, int)
        if first != second or not (numbers or type(first) is type(second)):
            self.fail(self._formatMessage(msg, "%.80r is not %.80r" % (first, second)))


class Written(pickletester.AbstractPickleTests, Base):
    """What this Python writes."""

    def dumps(self, value, protocol=None, **options):
        return pickle.dumps(value, protocol, **options)

    def loads(self, data, **options):
        boxed = b"c__main__\nBox\n" + bytes(data)[:-1] + b"\x85R."
        return pickle.loads(through_node(boxed), **options).value


class Read(pickletester.AbstractUnpickleTests, Base):
    """Pickles of other Pythons, and damaged ones."""

    def loads(self, data, **options):
        return pickle.loads(through_node(bytes(data)), **options)


RESULT = unittest.TestResult()
for cases in (Written, Read):
    unittest.defaultTestLoader.loadTestsFromTestCase(cases).run(RESULT)
REPORT = {"run": RESULT.testsRun, "skipped": [test.id() for test, _ in RESULT.skipped], "failed": {}}
for test, text in RESULT.failures + RESULT.errors:
    name = getattr(test, "test_case", test).id().split(".")[-1]
    REPORT["failed"].setdefault(name, []).append(text.strip().split("\n")[-1])
CONNECTION.send_bytes(b"r" + json.dumps(REPORT).encode())
