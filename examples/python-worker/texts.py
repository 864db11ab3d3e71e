# SPDX-License-Identifier: MIT
#
# Ordinary Python functions for texts.
import collections
import re
import time


def count(text):
    words = re.findall(r"\w+", text.lower())
    common = collections.Counter(words).most_common(2)
    return {"words": len(words), "common": dict(common)}


def summary(text):
    first = re.match(r"[^.]+\.", text)
    if first is None:
        raise ValueError("there is no sentence in it")
    return {"summary": first.group(), "left out": len(text) - first.end()}


def redact(text):
    return {"text": re.sub(r"\S+@\S+\w", "<address>", text)}


def read_aloud(text):
    """Takes its time: a second for each word. It stops when the reader is gone."""
    for word in text.split():
        yield word
        time.sleep(1)
