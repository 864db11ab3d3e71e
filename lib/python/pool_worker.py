# SPDX-License-Identifier: MIT
#
# The loop of a worker of a PythonPool (python-pool.ts). The build makes a string of this file, and a PythonProcess runs it with
# `exec`, so nothing needs to be installed for Python. It uses the standard library of 3.8 to 3.13.
#
# Results and errors have the form in which multiprocessing.pool.worker sends them, with two differences. A message ends with a
# byte for its kind (pool_messages.py). And an exception is described in words, too: the pool may not know its class, or the
# exception may not survive its pickle.
#
# The namespace has what pool_messages.py has; `__file__`, the name under which both files were compiled; `control`, a Connection
# for what the pool says about a running task; and `setup`, a dict.
# globals: __file__, tasks, memory, control, setup, send, dumps, write, receive
import contextlib, functools, importlib, multiprocessing, os, pickle, signal, struct, sys, threading, time, traceback
from multiprocessing import pool, reduction

READY, FAILED, DONE, ERROR, ITEM, PROGRESS, LOG = range(1, 8)
CANCEL, CREDIT, CLOSE = range(1, 4)

# Results that are no generators and no awaitables for certain.
PLAIN = frozenset([type(None), bool, int, float, complex, str, bytes, bytearray, tuple, list, dict, set, frozenset])
NOTHING = contextlib.nullcontext()

pid = os.getpid()
# Else a process that the function forks could hide from the pool what this one has not read when it ends.
os.register_at_fork(after_in_child=tasks.close)
if memory:
    os.register_at_fork(after_in_child=memory.close)
main_thread = threading.get_ident()


def describe(error):
    """An exception as multiprocessing.pool sends it, and in words."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == 'builtins' else '%s.%s' % (kind.__module__, kind.__qualname__)
    try:
        # A subclass of str could not be read in the pool.
        message = ''.join([str(error)])
    except BaseException:
        message = ''
    # The frames of this file say nothing to a user.
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    try:
        text = ''.join(traceback.format_exception(kind, error, frames))
    except BaseException:
        text = name
    return [name, message, portable(list(error.args)), text, portable(pool.ExceptionWithTraceback(error, frames))]


def portable(value):
    # What does not survive the pickle here would not survive it in the pool either.
    try:
        data = bytes(reduction.ForkingPickler.dumps(value, 4))
        pickle.loads(data)
        return data
    except BaseException:
        return None


def find(target, fits=callable, kind='function'):
    global stage
    module, name = target.split(':')
    stage = 'import'
    found = owner = importlib.import_module(module)
    stage = 'export'
    for part in name.split('.'):
        owner = found
        found = getattr(owner, part, None)
        if found is None:
            break
    if not fits(found):
        names = ', '.join(key for key, value in vars(owner).items() if fits(value) and key[:1] != '_')
        raise AttributeError('module %r has no %s %r; it has: %s' % (module, kind, name, names or 'none'))
    return found


class Uninterrupted:
    """A part that the main thread must run to its end: an interrupt comes after it."""

    depth = 0
    missed = False

    def __enter__(self):
        if threading.get_ident() == main_thread:
            self.depth += 1

    def __exit__(self, *_):
        if threading.get_ident() != main_thread:
            return
        self.depth -= 1
        if self.depth == 0 and self.missed:
            self.missed = False
            interrupt(None, None)


class Current:
    """The task that runs (the number of this attempt), as far as the thread that reads `control` has to know it."""

    task = None
    # The task that the pool wants to be given up, and the one whose stream it wants closed. Either may be still to come.
    cancelled = None
    closing = None
    # Whether the caller wants to know how far the task has got.
    progress = False
    # The exception that has interrupted the task.
    interrupt = None

    def begin(self, task, credits):
        self.credits = credits and threading.Semaphore(credits)
        self.task = task
        if self.cancelled == task:
            self.cancelled = None
            raise KeyboardInterrupt
        if self.credits and self.closing == task:
            self.credits.release()

    def end(self):
        self.task = self.interrupt = None
        self.progress = False

    def take(self):
        """Waits until another item is wanted. False if no more are."""
        self.credits.acquire()
        return self.closing != self.task


uninterrupted, current = Uninterrupted(), Current()


def interrupt(_, frame):
    # Raises only for the task that the pool has named before, and once. Any other SIGINT, such as that of a terminal, is
    # for the parent, which ends its workers as it likes.
    if current.cancelled is None or current.cancelled != current.task:
        return
    if uninterrupted.depth:
        uninterrupted.missed = True
        return
    while frame is not None:
        if frame.f_code is unraisable.__code__:
            return  # Python would drop it again, and pursue() repeats it.
        frame = frame.f_back
    current.cancelled = None
    current.interrupt = KeyboardInterrupt()
    raise current.interrupt


def pursue(wait):
    # A signal that arrives after the main thread has given up the GIL and before its system call interrupts neither. So it
    # is repeated until the handler has run.
    while current.cancelled is not None and current.cancelled == current.task and not uninterrupted.missed:
        signal.pthread_kill(main_thread, signal.SIGINT)
        if wait(0.02):
            break


def unraisable(dropped, report=sys.unraisablehook):
    # Python drops an exception that is raised in a destructor or in the callback of a weak reference. The task is to be
    # interrupted nevertheless.
    if dropped.exc_value is None or dropped.exc_value is not current.interrupt:
        return report(dropped)
    current.cancelled = current.task
    threading.Thread(target=pursue, args=(time.sleep,), daemon=True).start()


def listen():
    while True:
        try:
            pursue(control.poll)
            kind, task, count = struct.unpack('>BQI', control.recv_bytes())
        except (EOFError, OSError):
            return  # The pool has ended, and this process ends with it.
        if kind == CANCEL:
            current.cancelled = task
        elif kind == CLOSE:
            current.closing = task
        if kind != CANCEL and task == current.task and current.credits:
            for _ in range(count):
                current.credits.release()


def items(made):
    """Sends what a generator yields, as the pool asks for it."""
    iterator = iter(made)
    try:
        while current.take():
            try:
                item = next(iterator)
            except StopIteration:
                return
            write(ITEM, dumps(item))
    finally:
        close = getattr(iterator, 'close', None)
        if close is not None:
            close()


async def async_items(made):
    iterator = made.__aiter__()
    try:
        while current.take():
            try:
                item = await iterator.__anext__()
            except StopAsyncIteration:
                return
            write(ITEM, dumps(item))
    finally:
        close = getattr(iterator, 'aclose', None)
        if close is not None:
            await close()


def run(awaitable):
    import asyncio
    async def main():
        return await awaitable
    return asyncio.run(main())


def progress(done, total=None):
    """Tells the caller of the task how far it has got. In processes that the function has forked it does nothing."""
    if current.progress and os.getpid() == pid:
        send(PROGRESS, [done, total])


def value_of(made):
    # CO_GENERATOR and CO_ASYNC_GENERATOR, without the module inspect, which takes long to import.
    if hasattr(made, '__anext__') or hasattr(made, 'send') and hasattr(made, 'gi_frame'):
        raise TypeError('the function is a generator, whose items come one by one: call stream() of the pool')
    return run(made) if hasattr(made, '__await__') else made


def call_within(context, *task):
    """Runs a task with the values that came with it."""
    if not variables:
        return call(*task)

    def enter():
        for name, value in context.items():
            variables[name].set(value)
        return call(*task)

    return copy_context().run(enter)


def call(function, mode, args, kwargs):
    if mode == 'stream':
        made = function(*args, **kwargs)
        if hasattr(made, '__aiter__'):
            run(async_items(made))
        else:
            items(run(made) if hasattr(made, '__await__') else made)
        return None
    if mode == 'call':
        return value_of(function(*args, **kwargs))
    if kwargs:
        function = functools.partial(function, **kwargs)
    if mode == 'map':
        return [made if type(made := function(item)) in PLAIN else value_of(made) for item in args]
    return [made if type(made := function(*item)) in PLAIN else value_of(made) for item in args]


def outcome_of(data):
    """Runs a task. Returns the kind of the last message about it, and its pickle."""
    try:
        try:
            task, target, args, kwargs, mode, credits, logs, context, current.progress = pickle.loads(data)
            current.begin(task, credits)
            function = main if target is None else functions(target)
            with logging(logs):
                value = call_within(context, function, mode, args, kwargs)
            kind = DONE
            current.end()
        except BaseException as error:
            current.end()
            kind, value = ERROR, describe(error)
            error.__traceback__ = None
    except KeyboardInterrupt as error:
        # The interrupt came while another exception was handled. There is one for each task at most.
        current.end()
        kind, value = ERROR, describe(error)
    if os.getpid() != pid:
        os._exit(0)  # A process that the function has forked came back from it.
    try:
        return kind, dumps(value)
    except BaseException as error:
        try:
            error = pool.MaybeEncodingError(error, value)
        except BaseException:
            pass  # It has no repr() either.
        return ERROR, reduction.ForkingPickler.dumps(describe(error), 4)


def logging(wanted):
    if not wanted:
        return NOTHING
    import logging as module

    class Handler(module.Handler):
        def emit(self, record):
            if os.getpid() != pid:
                return
            try:
                message = ''.join([record.getMessage()])
                send(LOG, {'level': record.levelname, 'name': record.name, 'message': message})
            except Exception:
                self.handleError(record)  # As all handlers do: a bad record is no failure of the function.

        def __enter__(self):
            module.getLogger().addHandler(self)

        def __exit__(self, *_):
            module.getLogger().removeHandler(self)

    return Handler()


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # The function has closed or replaced it.


def start():
    global stage
    multiprocessing.current_process().progress = progress
    sys.argv[:] = [setup['target'].partition(':')[0]]
    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = unraisable
    threading.Thread(target=listen, daemon=True).start()
    try:
        found = find(setup['target'])
        initializer = setup['initializer'] and find(setup['initializer'])
        if setup['context']:
            import contextvars
            global copy_context
            copy_context = contextvars.copy_context
            for name in setup['context']:
                variables[name] = find(name, lambda value: isinstance(value, contextvars.ContextVar), 'ContextVar')
        stage = 'run'
        if initializer:
            value_of(initializer(*setup['initargs']))
    except BaseException as error:
        name, message, _, text, _ = describe(error)
        flush()
        message = name + (': ' + message if message else '')
        if isinstance(error, ModuleNotFoundError):
            folders = ', '.join(folder or os.getcwd() for folder in sys.path)
            message += '. %s has looked in: %s. The option pythonPath adds folders' % (sys.executable, folders)
        send(FAILED, [stage, message, text])
        return None
    send(READY, None)
    return found


def serve():
    while True:
        try:
            data = receive()
        except (EOFError, OSError):
            return
        # An empty message asks for the end.
        if not data:
            return
        kind, data = outcome_of(data)
        flush()
        write(kind, data)
        del data


# The ContextVars whose values come with the tasks.
variables = {}
functions = functools.lru_cache(None)(find)
main = start()
if main is not None:
    serve()
