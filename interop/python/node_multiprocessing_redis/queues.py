# SPDX-License-Identifier: MIT
import json
import os
import pickle
import queue as thread_queue
import socket
import threading
import time
import uuid
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple, Union

from .script import SCRIPT

Empty = thread_queue.Empty
Full = thread_queue.Full
ShutDown = getattr(thread_queue, 'ShutDown', None) or type('ShutDown', (Exception,), {'__module__': __package__})

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
        self._script = client.register_script(SCRIPT)
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
        self._put(data, deadline_of(block, timeout))

    def _put(self, data: bytes, deadline: float) -> None:
        while self._run('put', 'l' if len(data) > _APART_BYTES else 'd', data)[1] == 0:
            if not self._wait('room', deadline):
                raise Full

    def put_nowait(self, obj: Any) -> None:
        """As ``put(obj, False)``."""
        self.put(obj, False)

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        """Takes an item. As ``multiprocessing.Queue.get``."""
        data = self._get(deadline_of(block, timeout))
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
            raise Gone(f'The keys of the queue {self._name!r} are gone from Redis')
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
        deadline = deadline_of(True, timeout)
        while True:
            _, down, unfinished, *_ = self._run('look')
            if int(unfinished) <= 0:
                return
            if down == b'now':
                raise ShutDown
            if not self._wait('idle', deadline):
                raise TimeoutError(f'{unfinished} items are not finished')


class Gone(RuntimeError):
    """Raised when the queue was deleted."""


def deadline_of(block: bool, timeout: Optional[float]) -> float:
    """The time of ``time.monotonic`` until which a call with these arguments may wait."""
    if not block:
        return 0
    return float('inf') if timeout is None else time.monotonic() + timeout
