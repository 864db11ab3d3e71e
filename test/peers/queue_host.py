# SPDX-License-Identifier: MIT
"""CPython's own queues, shared with a C program.

    queue_host.py PROGRAM SCENARIO...

PROGRAM is queue_worker.c, compiled. The name of each scenario is printed when all of it was as it should be.
"""
import multiprocessing
import queue as exceptions
import signal
import subprocess
import sys
import threading
import time

CONTEXT = multiprocessing.get_context("spawn")
SIZES = [0, 1, 4092, 4096, 16385, 1 << 20]
WATCHDOG = 50


def name(part):
    return part._semlock.name


def parts(queue, reads=True, writes=True):
    """The form of a queue for queue_worker.c, and the descriptors that the worker has to inherit."""
    fds = [queue._reader.fileno() if reads else None, queue._writer.fileno() if writes else None]
    words = ["-" if fd is None else str(fd) for fd in fds]
    words += [name(queue._rlock), name(queue._wlock), name(queue._sem), str(queue._maxsize)]
    if hasattr(queue, "_cond"):
        condition = queue._cond
        words.append(name(queue._unfinished_tasks))
        words += map(name, (condition._lock, condition._sleeping_count, condition._woken_count, condition._wait_semaphore))
    return ",".join(words), [fd for fd in fds if fd is not None]


def start(mode, *queues, args=()):
    described = [q if isinstance(q, tuple) else parts(q) for q in queues]
    words = [text for text, _ in described]
    fds = [fd for _, more in described for fd in more]
    command = [sys.argv[1], mode, *words, *map(str, args)]
    worker = subprocess.Popen(command, pass_fds=fds, stdout=subprocess.PIPE, universal_newlines=True)
    assert worker.stdout.readline() == "ready\n"
    return worker


def end(worker, expected=""):
    output, _ = worker.communicate(timeout=WATCHDOG)
    assert worker.returncode == 0, output
    assert output == expected, output


def kill(worker):
    worker.kill()
    worker.communicate(timeout=WATCHDOG)
    assert worker.returncode == -signal.SIGKILL


def put_bytes(queue, data):
    queue._sem.acquire()
    with queue._wlock:
        queue._writer.send_bytes(data)


def get_bytes(queue):
    with queue._rlock:
        data = queue._reader.recv_bytes()
    queue._sem.release()
    return data


def raw():
    """Bytes of every size, there and back."""
    jobs, results = CONTEXT.Queue(3), CONTEXT.Queue(3)
    worker = start("echo", jobs, results)
    for size in SIZES:
        data = bytes(i * 7 & 0x7F for i in range(size))
        for _ in range(3):
            put_bytes(jobs, data)
            assert get_bytes(results) == data
    put_bytes(jobs, b"stop")
    end(worker, "0 signals\n")
    assert jobs.qsize() == 0 and results.qsize() == 0


def objects():
    """Items between put() and get(), passed on by C, in bounded queues and beyond the room of the pipe."""
    for maxsize in (0, 1, 7):
        jobs, results = CONTEXT.Queue(maxsize), CONTEXT.Queue(maxsize)
        worker = start("echo", parts(jobs, writes=False), parts(results, reads=False))
        items = [{"text": "x" * size, "number": size} for size in SIZES] + list(range(200))
        putter = threading.Thread(target=lambda: [jobs.put(item) for item in items])
        putter.start()
        assert [results.get(timeout=WATCHDOG) for _ in items] == items
        putter.join()
        jobs.put("stop")
        end(worker, "0 signals\n")
        assert jobs.qsize() == 0 and results.qsize() == 0


def pickled():
    """Items made in C. get() reads them as bytes objects."""
    for size in SIZES:
        queue = CONTEXT.Queue()
        worker = start("put", queue, args=(3, size))
        for _ in range(3):
            assert queue.get(timeout=WATCHDOG) == bytes(i & 0xFF for i in range(size))
        end(worker)


def simple():
    """A SimpleQueue, which has neither slots nor timeouts."""
    queue = CONTEXT.SimpleQueue()
    fd = queue._reader.fileno()
    text = ",".join([str(fd), "-", name(queue._rlock), name(queue._wlock), "-", "-"])
    worker = start("take", (text, [fd]))
    queue.put(b"x" * 300)
    assert int(worker.stdout.readline()) > 300
    queue.put("stop")
    end(worker)


def timeouts():
    empty, full = CONTEXT.Queue(1), CONTEXT.Queue(1)
    full.put("item")
    while full.empty():
        time.sleep(0.001)
    text, fds = parts(full)
    words = text.split(",")
    # A queue that is empty for get() and full for put().
    words[0], words[2] = str(empty._reader.fileno()), name(empty._rlock)
    end(start("timeouts", (",".join(words), [*fds, empty._reader.fileno()])), "queue empty\nqueue full\n")
    assert full.get(timeout=WATCHDOG) == "item"
    put_bytes(full, b"")
    get_bytes(full)


def joinable():
    """task_done() in C wakes join() here, and task_done() here wakes join() in C."""
    jobs, results = CONTEXT.JoinableQueue(4), CONTEXT.JoinableQueue()
    worker = start("echo", jobs, results)
    for item in range(50):
        jobs.put(item)
    jobs.join()
    jobs.put("stop")
    jobs.join()
    end(worker, "task_done called too often\n0 signals\n")
    joined = threading.Thread(target=results.join)
    joined.start()
    for item in range(50):
        assert joined.is_alive()
        assert results.get(timeout=WATCHDOG) == item
        results.task_done()
    joined.join(WATCHDOG)
    assert not joined.is_alive()


def signals():
    """Signals arrive during the calls."""
    jobs, results = CONTEXT.Queue(), CONTEXT.Queue()
    worker = start("echo", jobs, results)
    for item in range(100):
        jobs.put("y" * (item * 1000))
        worker.send_signal(signal.SIGUSR1)
        assert results.get(timeout=WATCHDOG) == "y" * (item * 1000)
    jobs.put("stop")
    output, _ = worker.communicate(timeout=WATCHDOG)
    assert worker.returncode == 0 and 0 < int(output.split()[0]) <= 100, output


def kills():
    """After the kill of a waiting C program the others go on. After the kill of a holder no process gets the lock."""
    queue = CONTEXT.Queue()
    for item in range(10):
        kill(start("take", queue))
        queue.put(item)
        assert queue.get(timeout=WATCHDOG) == item
    # Sixteen messages of 4096 bytes fill the pipe. The process with the next slot waits for room, without the lock.
    worker = start("put", queue, args=(17, 4084))
    while queue.qsize() < 17:
        time.sleep(0.001)
    kill(worker)
    for _ in range(16):
        assert len(queue.get(timeout=WATCHDOG)) == 4084
    queue.put("goes on")
    assert queue.get(timeout=WATCHDOG) == "goes on"
    worker = start("hold", queue)
    assert worker.stdout.readline() == "holding\n"
    kill(worker)
    queue.put("is there")
    try:
        queue.get(timeout=0.1)
        raise AssertionError("the lock was free")
    except exceptions.Empty:
        pass
    queue._rlock.release()
    assert queue.get(timeout=WATCHDOG) == "is there"


def consume(jobs, results):
    while True:
        item = jobs.get()
        if item == "stop":
            break
        results.put(item)


def many():
    """Python and C processes get from one queue and put to another; every item comes once."""
    jobs, results = CONTEXT.Queue(5), CONTEXT.Queue()
    workers = [start("echo", jobs, results) for _ in range(2)]
    processes = [CONTEXT.Process(target=consume, args=(jobs, results)) for _ in range(2)]
    for process in processes:
        process.start()
    items = [(i, "z" * (i * 37 % 5000)) for i in range(400)]
    for item in items:
        jobs.put(item)
    for _ in range(4):
        jobs.put("stop")
    assert sorted(results.get(timeout=WATCHDOG) for _ in items) == items
    for worker in workers:
        end(worker, "0 signals\n")
    for process in processes:
        process.join(WATCHDOG)
        assert process.exitcode == 0
    assert results.empty()


if __name__ == "__main__":
    for scenario in sys.argv[2:]:
        globals()[scenario]()
        print(scenario)
