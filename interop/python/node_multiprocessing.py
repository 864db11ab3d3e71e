# SPDX-License-Identifier: MIT
"""Node processes for Python programs.

``NodeProcess`` starts a Node process that runs an exported function, as ``multiprocessing.Process`` starts a Python
process: with real queues, connections and locks of ``multiprocessing`` anywhere in its arguments. In Node they are the
objects of the package node-multiprocessing. ``NodePool`` runs exported functions for many tasks, as the executors of
``concurrent.futures`` do. One file, CPython 3.8 or later, nothing but the standard library.

    import multiprocessing
    from node_multiprocessing import NodeProcess

    context = multiprocessing.get_context('spawn')  # Its objects have names, which other programs can open.
    queue = context.Queue()
    process = NodeProcess('worker.mjs:consumer', args=(queue,))
    process.start()
"""
import base64
import concurrent.futures
import io
import itertools
import json
import os
import pathlib
import queue as thread_queue
import shutil
import socket
import subprocess
import threading
import weakref
from multiprocessing import connection, context, popen_spawn_posix, process, queues, reduction, synchronize, util
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

__all__ = ['NodeError', 'NodePool', 'NodeProcess', 'describe']

_Path = Union[str, 'os.PathLike[str]']

_PACKAGE = 'node-multiprocessing'
_ENTRY = os.path.join('dist', 'cjs', 'child-main.js')
_WORKER = os.path.join('pool', 'node', 'worker.js')


class NodeProcess(process.BaseProcess):
    """A Node process that runs an exported function. Methods and attributes are those of ``multiprocessing.Process``.

    target: ``'module:function'``: the file of a JavaScript module, relative to ``cwd``, and one of its exports.
    args: its arguments. They may contain any value that the package can read from pickles, and connections, queues and
        locks; these must come from a context whose objects have names, such as ``get_context('spawn')``.
    kwargs: if there are any, they are one more argument, an object, after the others.
    name, daemon: as for ``multiprocessing.Process``. A daemonic process ends with this one, however this one ends.
    node: the program to run. Default: ``node`` on the PATH.
    cwd, env: its working directory and environment. Default: those of this process.

    The package is looked for in the ``node_modules`` folders above the module, as Node does it; then in the package
    that contains this file; then in the folders of ``NODE_PATH``.
    """

    def __init__(
        self,
        target: str,
        args: Sequence[Any] = (),
        kwargs: Optional[Mapping[str, Any]] = None,
        name: Optional[str] = None,
        daemon: Optional[bool] = None,
        node: Optional[str] = None,
        cwd: Optional[_Path] = None,
        env: Optional[Mapping[str, str]] = None,
    ) -> None:
        if not isinstance(target, str):
            raise TypeError('target must be a str, not %s' % type(target).__name__)
        module, _, export = target.rpartition(':')
        if not module or not export:
            raise ValueError("target must be 'module:function', such as 'worker.mjs:consumer', not %r" % target)
        super().__init__(None, None, name, tuple(args), dict(kwargs or {}), daemon=daemon)
        self._task = (module, export)
        self._node = node
        self._cwd = os.getcwd() if cwd is None else os.path.abspath(os.fspath(cwd))
        self._env = env

    def run(self) -> None:
        """Not for subclasses: the process runs the function in Node instead."""
        raise NotImplementedError('A NodeProcess runs a function of Node')

    @staticmethod
    def _Popen(process_obj: 'NodeProcess') -> '_Popen':
        return _Popen(process_obj)


class NodeError(Exception):
    """The error of a Node function. ``name`` is its class, ``stack`` its stack."""

    def __init__(self, name: str, message: str, stack: str) -> None:
        super().__init__(name, message, stack)
        self.name, self.message, self.stack = name, message, stack

    def __str__(self) -> str:
        return self.message


_Item = Tuple['concurrent.futures.Future[Any]', str, Sequence[Any]]


class NodePool(concurrent.futures.Executor):
    """Node processes that run exported functions of one module: an executor as those of ``concurrent.futures``.

        with NodePool('pages.mjs', max_workers=2) as pool:
            print(pool.submit('render', {'title': 'Hello'}).result())
            print(list(pool.map('render', [{'title': 'One'}, {'title': 'Two'}])))

    module: the file of a JavaScript module, relative to ``cwd``. Each process loads it once.
    max_workers: how many processes there are. Each starts with the first task that needs it.
    node, cwd, env: as for ``NodeProcess``.

    Instead of a function, ``submit`` and ``map`` take the name of an export. Arguments and results are values that the
    package can translate. An error of a function is a ``NodeError``. If a process dies, its task fails with
    ``concurrent.futures.BrokenExecutor``, and the next task gets a new process.
    """

    def __init__(
        self,
        module: str,
        max_workers: Optional[int] = None,
        node: Optional[str] = None,
        cwd: Optional[_Path] = None,
        env: Optional[Mapping[str, str]] = None,
    ) -> None:
        if max_workers is None:
            max_workers = os.cpu_count() or 1
        if max_workers <= 0:
            raise ValueError('max_workers must be greater than 0')
        folder = os.getcwd() if cwd is None else os.path.abspath(os.fspath(cwd))
        path = _find_module(module, folder)
        entry = _find_entry(path, dict(os.environ if env is None else env))
        self._options: Dict[str, Any] = {'node': node, 'cwd': cwd, 'env': env}
        self._worker = os.path.join(os.path.dirname(entry), _WORKER)
        self._setup = {'module': pathlib.Path(path).as_uri(), 'target': None, 'initializer': None, 'initargs': []}
        self._max_workers = max_workers
        self._items: 'thread_queue.SimpleQueue[Optional[_Item]]' = thread_queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: List[threading.Thread] = []
        self._lock = threading.Lock()
        self._shutdown = False

    def submit(self, fn: str, *args: Any) -> 'concurrent.futures.Future[Any]':  # type: ignore[override]
        """Runs the export ``fn`` with these arguments. CPython: ``Executor.submit``."""
        if not isinstance(fn, str):
            raise TypeError('fn must be the name of an export of the module, not %s' % type(fn).__name__)
        future: 'concurrent.futures.Future[Any]' = concurrent.futures.Future()
        with self._lock:
            if self._shutdown:
                raise RuntimeError('cannot schedule new futures after shutdown')
            self._items.put((future, fn, args))
            # A thread that waits takes it; otherwise there may be one more.
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._max_workers:
                thread = threading.Thread(target=self._serve, daemon=True)
                self._threads.append(thread)
                thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more tasks; the processes end after the last one. CPython: ``Executor.shutdown``."""
        with self._lock:
            first, self._shutdown = not self._shutdown, True
            if cancel_futures:
                self._cancel_waiting()
            if first or cancel_futures:
                for _ in self._threads:
                    self._items.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _cancel_waiting(self) -> None:
        while True:
            try:
                item = self._items.get_nowait()
            except thread_queue.Empty:
                return
            if item is not None and item[0].cancel():
                # For those that wait for it, this makes it one that has ended.
                item[0].set_running_or_notify_cancel()

    def _serve(self) -> None:
        worker: Optional[_NodeWorker] = None
        while True:
            item = self._items.get()
            if item is None:
                break
            future, name, args = item
            if future.set_running_or_notify_cancel():
                try:
                    if worker is None:
                        worker = _NodeWorker(self._worker, self._setup, self._options)
                    result = worker.run(name, args)
                except BaseException as error:
                    if worker is not None and worker.ended:
                        worker = None
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            # The caller may keep the future, which refers to the result.
            del item, future, args
            self._idle.release()
        if worker is not None:
            worker.close()


class _NodeWorker:
    """One process of a NodePool. lib/pool/node/link.ts has the messages."""

    def __init__(self, module: str, setup: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        self.ended = False
        self._numbers = itertools.count(1)
        self._connection, theirs = connection.Pipe()
        self._process = NodeProcess(module + ':work', args=(theirs, setup), daemon=True, **options)
        try:
            self._process.start()
        except BaseException:
            self._connection.close()
            raise
        finally:
            theirs.close()
        kind, body = self._receive()
        if kind != _READY:
            self.close()
            raise concurrent.futures.BrokenExecutor(_failure(body))

    def run(self, name: str, args: Sequence[Any]) -> Any:
        number = next(self._numbers)
        task = [0, number, number, 1, name, list(args), 'call', 0, False, False, {}]
        message = bytes(reduction.ForkingPickler.dumps(task, 4))
        try:
            self._connection.send_bytes(message)
        except BrokenPipeError:
            pass  # The end of the process is noticed by the receive.
        while True:
            kind, body = self._receive()
            if kind == _DONE:
                return body
            if kind == _ERROR:
                raise _error(body)

    def close(self) -> None:
        self.ended = True
        self._connection.close()
        self._process.join(_END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()

    def _receive(self) -> Tuple[int, Any]:
        try:
            kind, *body = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            self.close()
            text = 'The Node process has ended with exit code %s while it ran the task' % code
            raise concurrent.futures.BrokenExecutor(text) from None
        return kind, body[0] if body else None


_READY, _DONE, _ERROR = 1, 3, 4

# How long a process may take to end.
_END_SECONDS = 2


def _error(body: Mapping[str, Any]) -> NodeError:
    described = (body.get('thrown') or {}).get('error') or {}
    message = described.get('message', body['message'])
    return NodeError(described.get('name', 'Error'), message, body['stack'])


def _failure(body: Any) -> str:
    return 'The Node process cannot load its module: %s' % (body or {}).get('message')


def describe(obj: Any) -> Tuple[str, List[int]]:
    """For Node processes that are started by other means: a description of an object, as JSON, and its descriptors.

    Pass the text on, in an environment variable for example, and let the process inherit the descriptors
    (``subprocess.Popen(..., pass_fds=fds)``). There ``attach(JSON.parse(text))`` makes an object from it. It finds the
    descriptors by what they lead to, not by their numbers. Keep the object until then: its names disappear with it.
    """
    fds: List[int] = []
    return json.dumps(_describe(obj, fds)), fds


def _describe(obj: Any, fds: List[int]) -> Dict[str, Any]:
    if isinstance(obj, connection.Connection):
        return _describe_connection(obj, fds)
    if isinstance(obj, (queues.Queue, queues.SimpleQueue)):
        return _describe_queue(obj, fds)
    if isinstance(obj, synchronize.Condition):
        return {'type': 'Condition', 'lock': _describe(obj._lock, fds), 'condition': _counters(obj)}
    if isinstance(obj, synchronize.Event):
        lock, flag = _address(obj._cond._lock), _address(obj._flag)
        return {'type': 'Event', 'event': {'lock': lock, 'condition': _counters(obj._cond), 'flag': flag}}
    # A BoundedSemaphore is a Semaphore, so it comes first.
    for kind in (synchronize.Lock, synchronize.RLock, synchronize.BoundedSemaphore, synchronize.Semaphore):
        if isinstance(obj, kind):
            described = {'type': kind.__name__, 'semaphore': _address(obj)}
            if kind is synchronize.BoundedSemaphore:
                described['bound'] = obj._semlock.maxvalue
            return described
    raise TypeError('obj must be a connection, queue, lock, semaphore, condition or event, not %s' % type(obj).__name__)


def _address(lock: synchronize.SemLock) -> Dict[str, Any]:
    _check_named(lock)
    return {'name': lock._semlock.name}


def _counters(condition: synchronize.Condition) -> Dict[str, Any]:
    return {
        'sleeping': _address(condition._sleeping_count),
        'woken': _address(condition._woken_count),
        'wait': _address(condition._wait_semaphore),
    }


def _describe_connection(conn: connection.Connection, fds: List[int]) -> Dict[str, Any]:
    fd = conn.fileno()
    fds.append(fd)
    device, inode = _identity(fd)
    return {
        'type': 'Connection',
        'descriptor': {'fd': fd, 'pid': os.getpid(), 'device': device, 'inode': inode},
        'readable': conn.readable,
        'writable': conn.writable,
        'serialization': 'pickle',
        'options': {},
    }


def _describe_queue(queue: Any, fds: List[int]) -> Dict[str, Any]:
    kinds = (queues.SimpleQueue, queues.JoinableQueue, queues.Queue)
    described = {
        'type': next(kind.__name__ for kind in kinds if isinstance(queue, kind)),
        'reader': _describe_connection(queue._reader, fds),
        'writer': _describe_connection(queue._writer, fds),
        'rlock': _describe(queue._rlock, fds),
        'wlock': _describe(queue._wlock, fds),
        'serialization': 'pickle',
    }
    if isinstance(queue, queues.Queue):
        described['places'] = _describe(queue._sem, fds)
    if isinstance(queue, queues.JoinableQueue):
        described['condition'] = _describe(queue._cond, fds)
        described['unfinished'] = _describe(queue._unfinished_tasks, fds)
    return described


def _check_named(lock: synchronize.SemLock) -> None:
    if lock._semlock.name is None:
        raise ValueError(
            "a %s of the 'fork' context has no name by which another program could open it; "
            "make it, or the queue that it belongs to, with multiprocessing.get_context('spawn')" % type(lock).__name__
        )


class _Pickler(reduction.ForkingPickler):
    """Pickles arguments. Keeps the named objects among them, whose names must exist until the child has opened them."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, 4)
        self.kept: List[synchronize.SemLock] = []

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, synchronize.SemLock):
            _check_named(obj)
            self.kept.append(obj)
        return NotImplemented


class _Popen:
    """The child as BaseProcess sees it, and the object that CPython asks for descriptors while it pickles."""

    method = 'node'
    DupFd = popen_spawn_posix._DupFd

    def __init__(self, process_obj: NodeProcess) -> None:
        util._flush_std_streams()
        self.returncode: Optional[int] = None
        self._fds: List[int] = []
        self._launch(process_obj)

    def duplicate_for_child(self, fd: int) -> int:
        self._fds.append(fd)
        return fd

    def poll(self, flag: Optional[int] = None) -> Optional[int]:
        if self.returncode is None:
            self.returncode = self._child.poll()
            if self.returncode is not None:
                self._kept.clear()
        return self.returncode

    def wait(self, timeout: Optional[float] = None) -> Optional[int]:
        if self.returncode is None:
            if timeout is not None and not connection.wait([self.sentinel], timeout):
                return None
            if timeout != 0.0:
                self._child.wait()
        return self.poll()

    def terminate(self) -> None:
        if self.poll() is None:
            self._child.terminate()

    def kill(self) -> None:
        if self.poll() is None:
            self._child.kill()

    def close(self) -> None:
        _of_this_process.discard(self)
        self.finalizer()

    def _launch(self, process_obj: NodeProcess) -> None:
        module, export = process_obj._task
        path = _find_module(module, process_obj._cwd)
        env = dict(os.environ if process_obj._env is None else process_obj._env)
        entry = _find_entry(path, env)
        node = _find_node(process_obj._node, env)
        args, self._kept = self._pickle(process_obj)
        ours, theirs = socket.socketpair()
        sentinel, theirs_sentinel = os.pipe()
        try:
            # Only the child keeps these. Their numbers reach it on the command line and in the preparation.
            fds = [*self._fds, theirs.fileno(), theirs_sentinel]
            self._child = subprocess.Popen(
                [node, entry, str(theirs.fileno()), '', 'python'], pass_fds=fds, cwd=process_obj._cwd, env=env
            )
            # CPython: the attributes of popen_fork.Popen.
            self.pid = self._child.pid
            self.sentinel = sentinel
            # For the child, the parent is alive as long as this side is open.
            self._channel = connection.Connection(os.dup(ours.fileno()))
            self.finalizer = util.Finalize(self, _close, (self._channel, sentinel))
            _of_this_process.add(self)
        except BaseException:
            os.close(sentinel)
            raise
        finally:
            ours.close()
            theirs.close()
            os.close(theirs_sentinel)
        preparation = {
            'module': path,
            'target': export,
            'role': _role(process_obj),
            'args': {'pickle': args, 'descriptors': self._identities, 'sentinel': theirs_sentinel},
        }
        try:
            self._channel.send(preparation)
        except BrokenPipeError:
            pass  # The child has ended already; its exit code says why.

    def _pickle(self, process_obj: NodeProcess) -> Tuple[bytes, List[synchronize.SemLock]]:
        args = list(process_obj._args)
        if process_obj._kwargs:
            args.append(process_obj._kwargs)
        file = io.BytesIO()
        pickler = _Pickler(file)
        context.set_spawning_popen(self)
        try:
            pickler.dump(args)
        finally:
            context.set_spawning_popen(None)
        # In the child another descriptor may have got the same number, and must not be mistaken for this one.
        self._identities = [(fd, *_identity(fd)) for fd in self._fds]
        return file.getvalue(), pickler.kept


# The finalizers of multiprocessing do nothing after a fork.
_of_this_process: 'weakref.WeakSet[_Popen]' = weakref.WeakSet()


def _forget() -> None:
    """After a fork these belong to the parent. A copy would hide the parent's end from the child."""
    for popen in list(_of_this_process):
        _close(popen._channel, popen.sentinel)
    _of_this_process.clear()


os.register_at_fork(after_in_child=_forget)


def _close(channel: connection.Connection, sentinel: int) -> None:
    channel.close()
    os.close(sentinel)


def _identity(fd: int) -> Tuple[str, str]:
    info = os.fstat(fd)
    return str(info.st_dev), str(info.st_ino)


def _role(process_obj: NodeProcess) -> Dict[str, Any]:
    return {
        'name': process_obj.name,
        'identity': process_obj._identity,
        'daemon': process_obj.daemon,
        'authkey': base64.b64encode(bytes(process_obj.authkey)).decode(),
        'parent': {'pid': os.getpid(), 'name': process.current_process().name},
    }


def _find_module(module: str, cwd: str) -> str:
    path = os.path.join(cwd, module)
    if not os.path.isfile(path):
        raise FileNotFoundError('%s, the module of the target, is not a file' % path)
    return os.path.realpath(path)


def _find_node(node: Optional[str], env: Mapping[str, str]) -> str:
    found = shutil.which(node or 'node', path=env.get('PATH'))
    if found is None:
        raise FileNotFoundError('%s is not an executable program' % (node or 'node on the PATH'))
    return found


def _packages(module: str, env: Mapping[str, str]) -> Iterator[str]:
    folder = os.path.dirname(module)
    while True:
        yield os.path.join(folder, 'node_modules', _PACKAGE)
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    yield os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    for folder in env.get('NODE_PATH', '').split(os.pathsep):
        if folder:
            yield os.path.join(folder, _PACKAGE)


def _find_entry(module: str, env: Mapping[str, str]) -> str:
    for package in _packages(module, env):
        entry = os.path.join(package, _ENTRY)
        if os.path.isfile(entry):
            return entry
    raise FileNotFoundError(
        'the package %s is neither in a node_modules folder above %s, nor around %s, nor in NODE_PATH'
        % (_PACKAGE, module, __file__)
    )
