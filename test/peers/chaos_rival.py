# SPDX-License-Identifier: MIT
"""CPython's own Queue in the chaos harness: chaos_rival.py MAXSIZE. Each line of standard input is a command in JSON:
{"start": role, "place": place}, answered by the pid; {"end": count}, answered by "ended" when as many items that end a
consumer are put. The end of a member is a line, too. The end of standard input ends the program.
"""
import json
import multiprocessing
import os
import sys
import threading

import chaos_member

LOCK = threading.Lock()


def say(**line):
    with LOCK:
        print(json.dumps(line), flush=True)


def watch(process, member):
    process.join()
    say(gone=member, well=process.exitcode == 0)


def end_consumers(queue, count):
    for _ in range(count):
        queue.put(None)
    say(ended=count)


def main():
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(int(sys.argv[1]))
    for line in sys.stdin:
        command = json.loads(line)
        if "end" in command:
            threading.Thread(target=end_consumers, args=(queue, command["end"]), daemon=True).start()
            continue
        process = context.Process(target=getattr(chaos_member, command["start"]), args=(queue, command["place"]))
        process.start()
        member = command["place"]["member"]
        say(member=member, pid=process.pid)
        threading.Thread(target=watch, args=(process, member), daemon=True).start()
    # Whatever hangs must not keep this process.
    os._exit(0)


if __name__ == "__main__":
    main()
