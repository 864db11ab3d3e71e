# SPDX-License-Identifier: MIT
"""Queues in Redis or Valkey that Python and Node share, on any number of hosts.

The other side is ``node-multiprocessing/redis``. ``JoinableQueue`` and ``Queue`` have the methods of those of
``multiprocessing``, over a client of redis-py that the caller made. One file, CPython 3.8 or later.

    import redis
    from node_multiprocessing_redis import JoinableQueue

    queue = JoinableQueue(redis.Redis(), 'jobs')
    job = queue.get()
    queue.task_done()

As a program it runs tasks of ``RedisPool`` objects of Node, with ``serialization: 'json'``:

    python -m node_multiprocessing_redis worker --redis redis://localhost --name math --target math:sqrt
"""
import argparse
import importlib
import json
import os
import pickle
import queue as thread_queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import uuid
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple, Union

__all__ = ['Empty', 'Full', 'JoinableQueue', 'Queue', 'ShutDown']

Empty = thread_queue.Empty
Full = thread_queue.Full
ShutDown = getattr(thread_queue, 'ShutDown', None) or type('ShutDown', (Exception,), {})

_Part = Union[str, bytes, int]

_KEYS = ('state', 'items', 'large', 'back', 'ready', 'room', 'idle')
_OK, _NONE, _GONE, _DOWN = 0, 1, -1, -2
# Longer items are kept apart from the stream.
_APART_BYTES = 64 * 1024
# A call that waits looks again after this time, in seconds, without having been woken.
_LONGEST_WAIT = 1.0


class Queue:
    """A queue in Redis. An item is finished when the next ``get`` or ``close`` shows that it was received.

    client: a ``redis.Redis``, or a ``redis.cluster.RedisCluster``, without ``decode_responses``.
    name, prefix: as in Node. All members have the same.
    maxsize: the largest number of items that no consumer has got. None: that of the queue if it exists, else no limit.
    serialization: ``'json'``, or ``'pickle'``. To read a pickle runs whatever its author wants, so this is only for queues
        to which no other program can write.
    lease_time: for how many seconds an item is leased; leases are renewed by a thread. None: that of the queue if it
        exists, else 30.
    expires: after so many seconds without a call of any member, Redis deletes the queue. None: never.
    """

    _joinable = False

    def __init__(
        self,
        client: Any,
        name: str,
        maxsize: Optional[int] = None,
        *,
        serialization: str = 'json',
        lease_time: Optional[float] = None,
        prefix: str = 'mp:',
        expires: Optional[float] = None,
    ) -> None:
        if serialization not in ('json', 'pickle'):
            raise ValueError("serialization must be 'json' or 'pickle'")
        pool = getattr(client, 'connection_pool', None)
        if pool is not None and pool.connection_kwargs.get('decode_responses'):
            raise ValueError('client must be made without decode_responses')
        if not name or '{' in prefix + name or '}' in prefix + name:
            raise ValueError('name must not be empty, and without braces, which mark the hash tag of a key')
        self._client = client
        self._name = name
        self._keys = [f'{prefix}{{{name}}}:{key}' for key in _KEYS]
        self._consumer = f'{socket.gethostname()}:{os.getpid()}:{threading.get_native_id()}:{uuid.uuid4().hex[:12]}'
        self._script = client.register_script(_SCRIPT)
        self._format = serialization
        self._closed = False
        self._lock = threading.Lock()
        self._held: Dict[bytes, int] = {}
        self._received: List[bytes] = []
        # Items that Redis may have finished without an answer.
        self._uncertain: Set[bytes] = set()
        self._renewer: Optional[threading.Thread] = None
        self._stopped = threading.Event()
        given = ['' if maxsize is None else max(0, maxsize), '' if lease_time is None else int(lease_time * 1000)]
        outlives = '' if expires is None else int(expires * 1000)
        answer = self._script(self._keys, ['open', self._consumer, *given, serialization, outlives])
        found = [int(answer[1]), int(answer[2]), answer[3].decode()]
        for option, ours, theirs in zip(('maxsize', 'lease_time', 'serialization'), [*given, serialization], found):
            if ours not in ('', theirs):
                raise ValueError(f'{option} is {ours!r}, and the queue {name!r} exists with {theirs!r}')
        self._lease = found[1] / 1000

    def put(self, obj: Any, block: bool = True, timeout: Optional[float] = None) -> None:
        """Puts an item. Returns when Redis has it. As ``multiprocessing.Queue.put``."""
        self._check_open()
        # Python alone reads the NaN and Infinity that it would write.
        data = json.dumps(obj, allow_nan=False).encode() if self._format == 'json' else pickle.dumps(obj)
        self._put(data, _deadline(block, timeout))

    def _put(self, data: bytes, deadline: float) -> None:
        while self._run('put', 'l' if len(data) > _APART_BYTES else 'd', data)[1] == 0:
            if not self._wait('room', deadline):
                raise Full

    def put_nowait(self, obj: Any) -> None:
        """As ``put(obj, False)``."""
        self.put(obj, False)

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        """Takes an item. As ``multiprocessing.Queue.get``."""
        data = self._get(_deadline(block, timeout))
        return json.loads(data) if self._format == 'json' else pickle.loads(data)

    def _get(self, deadline: float) -> bytes:
        while True:
            self._check_open()
            with self._lock:
                received, self._received = self._received, []
                pairs = [part for item in received for part in (item, self._held.get(item, 0))]
            try:
                answer = self._run('get', 1, '', *pairs)
            except ShutDown:
                self._forget(received)
                raise
            except Exception:
                with self._lock:
                    self._received[:0] = received
                raise
            self._forget(received)
            if answer[0] == _OK:
                _, item, deliveries, data = answer
                with self._lock:
                    self._held[item] = deliveries
                    if not self._joinable:
                        self._received.append(item)
                self._renew_later()
                return data  # type: ignore[no-any-return]
            if not self._wait('ready', deadline):
                raise Empty

    def get_nowait(self) -> Any:
        """As ``get(False)``."""
        return self.get(False)

    def qsize(self) -> int:
        """How many items no consumer has."""
        _, _, _, fresh, back, *_ = self._run('look')
        return int(fresh) + int(back)

    def empty(self) -> bool:
        """Whether no item waits."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Whether no item can be put."""
        _, _, _, fresh, *_, maxsize = self._run('look')
        return 0 < int(maxsize) <= int(fresh)

    def shutdown(self, immediate: bool = False) -> None:
        """Ends the queue for all members. As ``queue.Queue.shutdown`` of Python 3.13."""
        self._run('shutdown', 'now' if immediate else 'drain')

    def close(self) -> None:
        """Finishes what was received, and gives back what was not finished. The client stays open."""
        if self._closed:
            return
        self._closed = True
        self._stopped.set()
        if self._renewer is not None and self._renewer is not threading.current_thread():
            self._renewer.join()
        pairs = [part for item in self._received for part in (item, self._held.get(item, 0))]
        self._script(self._keys, ['leave', self._consumer, *pairs])

    def join_thread(self) -> None:
        """Nothing waits to be written: ``put`` returns when Redis has the item."""

    cancel_join_thread = join_thread

    def __enter__(self) -> 'Queue':
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        """Takes items until the queue is shut down."""
        try:
            while True:
                yield self.get()
        except ShutDown:
            return

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f'Queue {self._name!r} is closed')

    def _run(self, op: str, *args: _Part) -> Sequence[Any]:
        self._check_open()
        answer: Sequence[Any] = self._script(self._keys, [op, self._consumer, *args])
        if answer[0] == _GONE:
            raise _Gone(f'The keys of the queue {self._name!r} are gone from Redis')
        if answer[0] == _DOWN:
            raise ShutDown
        return answer

    def _wait(self, key: str, deadline: float) -> bool:
        """Waits until a call should look again. False when the time is up."""
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        self._client.blpop(self._keys[_KEYS.index(key)], max(0.01, min(left, self._lease / 2, _LONGEST_WAIT)))
        return True

    def _forget(self, items: Sequence[bytes]) -> None:
        with self._lock:
            for item in items:
                self._held.pop(item, None)

    def _renew_later(self) -> None:
        with self._lock:
            if self._renewer is None:
                self._renewer = threading.Thread(target=self._renew, name=f'leases of {self._name}', daemon=True)
                self._renewer.start()

    def _renew(self) -> None:
        while not self._stopped.wait(self._lease / 3):
            with self._lock:
                items: List[Tuple[bytes, int]] = list(self._held.items())
            for begin in range(0, len(items), 500):
                pairs = [part for item in items[begin : begin + 500] for part in item]
                try:
                    self._script(self._keys, ['renew', self._consumer, *pairs])
                except Exception:  # The next attempt is soon; a lease that has run out is told by task_done.
                    break


class JoinableQueue(Queue):
    """A Queue whose items are leased until ``task_done``. As ``multiprocessing.JoinableQueue``."""

    _joinable = True

    def task_done(self) -> None:
        """Finishes the item that this object has had for the longest time. ValueError if there is none.

        Can be repeated after an error of the client.
        """
        with self._lock:
            item = next(iter(self._held), None)
            if item is None:
                raise ValueError('task_done() called too many times')
            deliveries = self._held.pop(item)
        try:
            lost = len(self._run('done', item, deliveries)) > 1
        except Exception:
            with self._lock:
                self._held = {item: deliveries, **self._held}
                self._uncertain.add(item)
            raise
        certain = item not in self._uncertain
        self._uncertain.discard(item)
        if lost and certain:
            raise ValueError('The lease of the item has run out, and another consumer gets it')

    def join(self, timeout: Optional[float] = None) -> None:
        """Waits until each item that was put was finished. TimeoutError when the time is up."""
        deadline = _deadline(True, timeout)
        while True:
            _, down, unfinished, *_ = self._run('look')
            if int(unfinished) <= 0:
                return
            if down == b'now':
                raise ShutDown
            if not self._wait('idle', deadline):
                raise TimeoutError(f'{unfinished} items are not finished')


class _Gone(RuntimeError):
    """Raised when the queue was deleted."""


class _TimedOut(BaseException):
    """Raised inside of a task that has run for too long."""


def _time_out(*_: Any) -> None:
    raise _TimedOut


# What each task has.
_TASK = {'id': str, 'pool': str, 'mode': str, 'args': list, 'attempts': int, 'tells': bool}


class _Worker:
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
                data = self._repeat(lambda: tasks._get(_deadline(True, 1)))
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
                self._repeat(lambda: dead._put(data, _deadline(True, None)))
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
        except _Gone:
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


def _main() -> None:
    parser = argparse.ArgumentParser(prog='node_multiprocessing_redis')
    worker = parser.add_subparsers(required=True, metavar='worker').add_parser('worker', help='runs tasks of RedisPools')
    worker.add_argument('--redis', required=True, metavar='URL')
    worker.add_argument('--name', required=True, help='the name of the pools')
    worker.add_argument('--target', required=True, metavar='MODULE:FUNCTION')
    worker.add_argument('--processes', type=int, default=os.cpu_count(), help='how many tasks run at a time')
    worker.add_argument('--prefix', default='mp:', help='what the keys in Redis begin with')
    worker.add_argument('--lease-time', type=float, metavar='SECONDS', help='as that of the pools; default: 30')
    options = parser.parse_args()
    # The folder of this file is the first one for programs; with -m it is the working directory.
    sys.path[0] = os.getcwd()
    if options.processes == 1:
        _work(options)
    else:
        _supervise(options)


def _work(options: argparse.Namespace) -> None:
    import redis

    client = redis.Redis.from_url(options.redis)
    one = _Worker(client, options.name, options.target, options.prefix, options.lease_time)

    def stop(*_: Any) -> None:
        one.stopped = True

    signal.signal(signal.SIGALRM, _time_out)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    one.work()
    client.close()


def _supervise(options: argparse.Namespace) -> None:
    """Replaces workers that have ended."""
    command = [sys.executable, os.path.abspath(__file__), 'worker', '--processes', '1', '--redis', options.redis]
    command += ['--name', options.name, '--target', options.target, '--prefix', options.prefix]
    if options.lease_time is not None:
        command += ['--lease-time', str(options.lease_time)]
    workers = [subprocess.Popen(command) for _ in range(options.processes)]
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    while not stopped.wait(0.5):
        workers = [one if one.poll() is None else subprocess.Popen(command) for one in workers]
    for one in workers:
        one.terminate()
    for one in workers:
        one.wait()


def _deadline(block: bool, timeout: Optional[float]) -> float:
    if not block:
        return 0
    return float('inf') if timeout is None else time.monotonic() + timeout


# That of the package, without its comments: a test compares them. lib/adapters/redis/script.lua has the comments.
_SCRIPT = '''\
if redis.replicate_commands then redis.replicate_commands() end
local call = redis.call
local state, items, large, back, ready, room, idle = unpack(KEYS)
local op, consumer = ARGV[1], ARGV[2]
local OK, NONE, GONE, DOWN = 0, 1, -1, -2
local GROUP = 'consumers'
local MOST_BYTES = 1048576

local function number(field) return tonumber(call('HGET', state, field) or 0) end
local function add(field, n) return call('HINCRBY', state, field, n) end
local function wake(list)
  if call('EXISTS', list) == 0 then call('RPUSH', list, '1') end
end

local function has(id, deliveries)
  local entry = call('XPENDING', items, GROUP, id, id, 1, consumer)[1]
  return entry and entry[4] == tonumber(deliveries)
end

local function each(first, act)
  local n, lost = 0, {}
  for i = first, #ARGV, 2 do
    if has(ARGV[i], ARGV[i + 1]) then
      act(ARGV[i], ARGV[i + 1])
      n = n + 1
    else
      lost[#lost + 1] = ARGV[i]
    end
  end
  return n, lost
end

local function remove(id)
  call('XACK', items, GROUP, id)
  call('XDEL', items, id)
  call('HDEL', large, id)
end

local function finish(n)
  if n > 0 and add('unfinished', -n) <= 0 then wake(idle) end
end

local function giveBack(push, id, deliveries)
  call('XACK', items, GROUP, id)
  call(push, back, id .. ' ' .. deliveries)
end

local function takeBack()
  local time = call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if now < number('check') then return end
  local lease = number('lease')
  local found = call('XPENDING', items, GROUP, 'IDLE', lease, '-', '+', 100)
  for _, entry in ipairs(found) do giveBack('RPUSH', entry[1], entry[4]) end
  if #found > 0 then add('expired', #found) end
  local pause = math.max(math.min(lease / 4, 1000), call('XLEN', items) / 100)
  call('HSET', state, 'check', #found == 100 and now or now + math.floor(pause))
end

local function take()
  local returned = call('LPOP', back)
  while returned do
    local id, deliveries = returned:match('(%S+) (%d+)')
    local entry = call('XCLAIM', items, GROUP, consumer, 0, id, 'RETRYCOUNT', deliveries + 1, 'FORCE')[1]
    if entry then return id, deliveries + 1, entry, 0 end
    finish(1)
    returned = call('LPOP', back)
  end
  local reply = call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', 1, 'STREAMS', items, '>')
  local entry = reply and reply[1][2][1]
  if entry then return entry[1], 1, entry, 1 end
end

local ops = {}

function ops.open()
  if call('EXISTS', state) == 0 then
    redis.pcall('XGROUP', 'CREATE', items, GROUP, '0', 'MKSTREAM')
    local length = call('XLEN', items)
    local fresh = length - call('XPENDING', items, GROUP)[1]
    call('HSET', state, 'version', 1, 'lease', ARGV[4] == '' and 30000 or ARGV[4], 'fresh', fresh, 'unfinished', length)
  end
  if ARGV[3] ~= '' then call('HSETNX', state, 'maxsize', ARGV[3]) end
  if ARGV[5] ~= '' then call('HSETNX', state, 'format', ARGV[5]) end
  if ARGV[6] and ARGV[6] ~= '' then call('HSET', state, 'expires', ARGV[6]) end
  for _, one in ipairs(call('XINFO', 'CONSUMERS', items, GROUP)) do
    if one[4] == 0 and one[6] > 3600000 then call('XGROUP', 'DELCONSUMER', items, GROUP, one[2]) end
  end
  return {OK, number('maxsize'), number('lease'), call('HGET', state, 'format') or ''}
end

function ops.put()
  if call('HEXISTS', state, 'down') == 1 then
    wake(room)
    return {DOWN}
  end
  local maxsize, fresh, n = number('maxsize'), number('fresh'), 0
  for i = 3, #ARGV, 2 do
    if maxsize > 0 and fresh + n >= maxsize then break end
    local apart = ARGV[i] == 'l'
    local id = call('XADD', items, '*', ARGV[i], apart and '' or ARGV[i + 1])
    if apart then call('HSET', large, id, ARGV[i + 1]) end
    n = n + 1
  end
  if n > 0 then
    add('fresh', n)
    add('unfinished', n)
    add('put', n)
    call('DEL', idle)
    wake(ready)
  end
  if maxsize > 0 and fresh + n < maxsize then wake(room) else call('DEL', room) end
  return {OK, n}
end

function ops.get()
  finish(each(5, remove))
  takeBack()
  local down = call('HGET', state, 'down')
  local result, bytes, new, n = {OK}, 0, 0, 0
  while n < tonumber(ARGV[3]) and bytes < MOST_BYTES and down ~= 'now' do
    local id, deliveries, entry, isNew = take()
    if not id then break end
    local payload = entry[2][2]
    if entry[2][1] == 'l' then payload = call('HGET', large, id) end
    new = new + isNew
    if ARGV[4] ~= '' then remove(id) end
    bytes = bytes + #payload
    n = n + 1
    for _, part in ipairs({id, deliveries, payload}) do result[#result + 1] = part end
  end
  if n > 0 then
    add('got', n)
    if ARGV[4] == 'done' then finish(n) end
  end
  if new > 0 then
    add('fresh', -new)
    if number('maxsize') > 0 then wake(room) end
  end
  if down or number('fresh') + call('LLEN', back) > 0 then wake(ready) else call('DEL', ready) end
  if n > 0 then return result end
  if ARGV[4] == '' then call('XGROUP', 'CREATECONSUMER', items, GROUP, consumer) end
  return {down and DOWN or NONE}
end

function ops.await()
  if call('XGROUP', 'CREATECONSUMER', items, GROUP, consumer) == 0 then return ops.get() end
  call('XGROUP', 'DELCONSUMER', items, GROUP, consumer)
  wake(ready)
  return {GONE}
end

function ops.done()
  local n, lost = each(3, remove)
  finish(n)
  return {OK, unpack(lost)}
end

function ops.count()
  if number('unfinished') <= 0 then return {NONE} end
  finish(1)
  return {OK}
end

function ops.release()
  local _, lost = each(3, function(id, deliveries) giveBack('RPUSH', id, deliveries) end)
  wake(ready)
  return {OK, unpack(lost)}
end

function ops.refuse()
  each(3, function(id, deliveries) giveBack('LPUSH', id, deliveries - 1) end)
  wake(ready)
  return {OK}
end

function ops.renew()
  local _, lost = each(3, function(id) call('XCLAIM', items, GROUP, consumer, 0, id, 'JUSTID') end)
  return {OK, unpack(lost)}
end

function ops.leave()
  finish(each(3, remove))
  local entries = call('XPENDING', items, GROUP, '-', '+', 1000000, consumer)
  for _, entry in ipairs(entries) do giveBack('RPUSH', entry[1], entry[4]) end
  call('XGROUP', 'DELCONSUMER', items, GROUP, consumer)
  if #entries > 0 then wake(ready) end
  return {OK}
end

function ops.look()
  if number('unfinished') <= 0 or call('HEXISTS', state, 'down') == 1 then wake(idle) end
  return {OK, call('HGET', state, 'down') or '', number('unfinished'), number('fresh'), call('LLEN', back),
    call('XLEN', items), number('put'), number('got'), number('expired'), number('maxsize')}
end

function ops.report()
  local result = {OK}
  for _, one in ipairs(call('XINFO', 'CONSUMERS', items, GROUP)) do
    local oldest = call('XPENDING', items, GROUP, '-', '+', 1, one[2])[1]
    if oldest then
      for _, part in ipairs({one[2], one[4], oldest[3]}) do result[#result + 1] = part end
    end
  end
  return result
end

function ops.shutdown()
  if call('HGET', state, 'down') ~= 'now' then call('HSET', state, 'down', ARGV[3]) end
  for _, list in ipairs({ready, room, idle}) do wake(list) end
  return {OK}
end

function ops.destroy()
  call('DEL', unpack(KEYS))
  return {OK}
end

if op ~= 'open' and op ~= 'destroy' and call('EXISTS', state) == 0 then return {GONE} end
if op ~= 'open' and op ~= 'put' then call('HDEL', state, '') end
local answer = ops[op]()
local expires = call('HGET', state, 'expires')
if expires then
  for _, key in ipairs(KEYS) do call('PEXPIRE', key, expires) end
end
return answer
'''


if __name__ == '__main__':
    _main()
