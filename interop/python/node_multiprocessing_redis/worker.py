# SPDX-License-Identifier: MIT
import importlib
import json
import os
import re
import signal
import sys
import time
import traceback
from typing import Any, Callable, Dict, Optional

from .queues import Empty, Full, Gone, JoinableQueue, Queue, ShutDown, deadline_of


class _TimedOut(BaseException):
    """Raised inside of a task that has run for too long."""


def time_out(*_: Any) -> None:
    raise _TimedOut


# What each task has.
_TASK = {'id': str, 'pool': str, 'mode': str, 'args': list, 'attempts': int, 'tells': bool}


class Worker:
    """Runs tasks one after the other. lib/adapters/redis/pool/ has the other side."""

    def __init__(self, client: Any, name: str, target: str, prefix: str, lease_time: Optional[float]) -> None:
        self._client = client
        self._lease_time = lease_time
        self._name = name
        self._prefix = prefix
        self._target = _find(target)
        self._results: Dict[str, Queue] = {}
        self._cancelled = f'{prefix}{{{name}:tasks}}:cancelled'
        self.stopped = False

    def work(self) -> None:
        settings: Dict[str, Any] = {'prefix': self._prefix, 'lease_time': self._lease_time}
        tasks = self._repeat(lambda: JoinableQueue(self._client, self._name + ':tasks', **settings))
        print(f'Worker of {self._name} is ready', flush=True)
        parent = os.getppid()
        while not self.stopped and os.getppid() == parent:
            try:
                data = self._repeat(lambda: tasks._get(deadline_of(True, 1)))
            except Empty:
                continue
            (attempt,) = tasks._held.values()
            task = self._task_of(data)
            # A task that was given up has no reader.
            if task is not None and not self._repeat(lambda: self._client.hdel(self._cancelled, task['id'])):
                self._do(task, attempt)
            try:
                self._repeat(tasks.task_done)
            except ValueError:
                pass  # The lease has run out, and another worker has the task. The first result counts.
        tasks.close()

    def _task_of(self, data: bytes) -> Optional[Dict[str, Any]]:
        """The task in an item. None if it cannot be read: it fails, or goes to the dead letters if it has no caller."""
        try:
            task: Dict[str, Any] = json.loads(data)
            wrong = [key for key, kind in _TASK.items() if not isinstance(task[key], kind)]
            if wrong or task['mode'] not in ('call', 'map', 'starmap'):
                raise ValueError(f'{(wrong or ["mode"])[0]} is not that of a task')
            return task
        except Exception as error:  # Such as a RecursionError for lists within lists.
            print(f'An item of {self._name} is no task: {error!r}', file=sys.stderr, flush=True)
            head = re.match(rb'{"id":"([\w:-]+)","pool":"([\w-]+)"', data)
            if head:
                self._fail(dict(zip(('id', 'pool'), map(bytes.decode, head.groups()))), error)
            else:
                dead = self._repeat(lambda: Queue(self._client, self._name + ':dead', prefix=self._prefix, expires=86400))
                self._repeat(lambda: dead._put(data, deadline_of(True, None)))
            return None

    def _do(self, task: Dict[str, Any], attempt: int) -> None:
        if attempt > task['attempts']:
            died = {'kind': 'died', 'pid': 0, 'exitcode': 0, 'attempt': attempt - 1, 'stderrTail': ''}
            self._reply(task, failure=died)
            return
        if task['tells']:
            self._reply(task, began=True)
        try:
            self._reply(task, value=self._call(task))
        except _TimedOut:
            self._reply(task, failure={'kind': 'timeout'})
        except Exception as error:
            self._fail(task, error)

    def _fail(self, task: Dict[str, Any], error: Exception) -> None:
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == 'builtins' else f'{kind.__module__}.{kind.__qualname__}'
        plain = (str, int, float, bool, type(None))
        args = [arg if isinstance(arg, plain) else repr(arg) for arg in error.args]
        text = traceback.format_exc()
        failure = {'kind': 'error', 'type': name, 'message': str(error), 'args': args, 'traceback': text}
        self._reply(task, failure=failure)

    def _call(self, task: Dict[str, Any]) -> Any:
        target = _find(task['target']) if task.get('target') else self._target
        signal.setitimer(signal.ITIMER_REAL, (task.get('timeout') or 0) / 1000)
        try:
            if task['mode'] == 'call':
                return target(*task['args'])
            if task['mode'] == 'map':
                return [target(item) for item in task['args']]
            return [target(*items) for items in task['args']]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _reply(self, task: Dict[str, Any], **what: Any) -> None:
        pool = task['pool']
        queue = self._results.pop(pool, None)
        if queue is None:
            name = f'{self._name}:results:{pool}'
            queue = self._repeat(lambda: Queue(self._client, name, prefix=self._prefix, expires=600))
        self._results[pool] = queue
        if len(self._results) > 100:
            del self._results[next(iter(self._results))]
        try:
            self._repeat(lambda: queue.put({'id': task['id'], **what}))
        except Gone:
            del self._results[pool]  # The pool is gone.

    def _repeat(self, call: Callable[[], Any]) -> Any:
        """Calls until Redis has answered."""
        while True:
            try:
                return call()
            except (Empty, Full, ShutDown, TypeError, ValueError, RuntimeError):
                raise
            except Exception as error:  # Of redis-py.
                print(f'redis: {error}', file=sys.stderr, flush=True)
                time.sleep(0.1)


def _find(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(':')
    found: Any = importlib.import_module(module)
    for part in name.split('.'):
        found = getattr(found, part)
    return found
