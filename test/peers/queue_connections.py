# SPDX-License-Identifier: MIT
"""Functions that put Connections on a queue, and get them from it."""
import multiprocessing


def ask(queue):
    reader, writer = multiprocessing.Pipe(False)
    queue.put({"question": 1, "reply": writer})
    assert reader.recv() == 42


def answer(queue):
    queue.get()["reply"].send(42)


def leave(queue):
    """Ends before the Connection can be collected."""
    reader, writer = multiprocessing.Pipe(False)
    queue.put({"question": 1, "reply": writer})
    queue.put("next")
