# SPDX-License-Identifier: MIT
#
# Ordinary Python functions for texts, and a loop that runs them for the requests
# on a multiprocessing queue.
import collections
import re


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


FUNCTIONS = {"count": count, "summary": summary, "redact": redact}


def work(requests, answers):
    while True:
        request = requests.get()
        if request is not None:
            number, name, text = request
            try:
                answers.put((number, 200, FUNCTIONS[name](text)))
            except Exception as error:
                answers.put((number, 422, {"error": str(error)}))
        requests.task_done()
        if request is None:
            return
