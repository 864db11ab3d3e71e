# SPDX-License-Identifier: MIT
#
# A Python child runs this while it loads the pickle of its process object (spawn.ts). The build makes a string of this file,
# so nothing needs to be installed for Python. It uses the standard library of 3.8 to 3.13. Older versions compile it, too, so
# that they can report that they are too old.
#
# The child reports to its parent on the descriptor from which CPython reads the pickles, as a Node child does
# (../process/bootstrap.ts): that it has taken over its arguments, that it calls the function, and the error with which it
# fails. CPython itself prints the traceback.
#
# The pickle provides `handle`, the number of that descriptor; `daemon`, whether the child ends when its parent ends;
# `grace`, the seconds between the SIGTERM and the SIGKILL that it sends itself then; `stdin`, whether the caller has chosen a
# standard input; and `records`, the namespace of the files in records/, if there are locks in the arguments.
# globals: handle, daemon, grace, stdin, records
import os, pickle, sys

# CPython closes `handle` when the pickles are loaded.
channel, pid = os.dup(handle), os.getpid()

def send(**report):
    # A process that this one forks inherits the channel, but the parent does not expect reports of it.
    if os.getpid() != pid:
        return
    data = pickle.dumps(report, 4)
    data = len(data).to_bytes(4, 'big') + data
    try:
        while data:
            data = data[os.write(channel, data):]
    except OSError:
        pass  # The parent has ended.

def failed(stage):
    kind, error, _ = sys.exc_info()
    # A function may end the process, but what ends it before is a failure, whatever its exit code.
    if stage == 'run' and issubclass(kind, SystemExit):
        return
    try:
        import traceback
        message = ''.join(traceback.format_exception_only(kind, error)).strip()
        stack = traceback.format_exc()
    except BaseException:
        # The error cannot be shown, or the user has a module of the same name.
        message, stack = kind.__name__, ''
    # The system buffers this much, so the child does not wait for a parent that is blocked.
    send(type='failed', stage=stage, message=message[:8192] + hint(error, message), stack=stack[-32768:])

def hint(error, message):
    # What the message of the error does not say, for the parent's message only.
    if isinstance(error, ModuleNotFoundError):
        folders = ', '.join(folder or os.getcwd() for folder in sys.path)
        text = '. %s has looked in: %s. The option pythonPath adds folders' % (sys.executable, folders)
        return text[:8192]
    if type(error).__name__ == 'UnpicklingError' and "load key, '\\xff'" in message:
        return ". The message is V8's structured clone, not a pickle: create the channel with serialization: 'pickle'"
    return ''

def check():
    if sys.implementation.name != 'cpython':
        raise RuntimeError('%s is %s, not CPython' % (sys.executable, sys.implementation.name))
    if sys.version_info < (3, 8):
        raise RuntimeError('%s is Python %d.%d; 3.8 or later is needed' % ((sys.executable,) + sys.version_info[:2]))

def load(data):
    global kwargs
    try:
        check()
        for source in records['sources'] if records else ():
            exec(source, records)
        values = pickle.loads(data)
        kwargs = values['kwargs']
    except BaseException:
        failed('attach')
        raise
    send(type='attached')
    return values['args']

def find(module, name):
    import importlib
    stage = 'import'
    try:
        target = importlib.import_module(module)
        stage = 'export'
        for part in name.split('.'):
            owner = target
            target = getattr(owner, part, None)
            if target is None:
                break
        if not callable(target):
            names = ', '.join(key for key, value in vars(owner).items() if callable(value) and key[:1] != '_')
            raise AttributeError('module %r has no function %r; it has: %s' % (module, name, names or 'none'))
        # CO_GENERATOR, CO_COROUTINE and CO_ASYNC_GENERATOR. To import the module inspect would take longer than all of this.
        if getattr(getattr(target, '__code__', None), 'co_flags', 0) & 0x2A0:
            raise TypeError('%s of module %r is a generator or an async function, which does not run when it is called; '
                            'name a function that runs it, with asyncio.run for example' % (name, module))
    except BaseException:
        failed(stage)
        raise
    return target

def watch():
    import select, signal, time
    poll = select.poll()
    # With no event to ask for, poll() reports only the end of the other side.
    poll.register(channel, 0)
    while not poll.poll():
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace)
    os.kill(os.getpid(), signal.SIGKILL)

def watched(process_class):
    # This replaces the method Process.run.
    def run():
        import multiprocessing
        send(type='running')
        try:
            process_class.run(multiprocessing.current_process())
        except BaseException:
            failed('run')
            raise
    return run

def keep_stdin():
    # CPython gives every child an empty standard input, so that processes do not take each other's input. That of this process
    # was chosen for it alone; the processes that it forks get the empty one again.
    from multiprocessing import util
    close = util._close_stdin
    def keep_once():
        util._close_stdin = close
    util._close_stdin = keep_once

def register_own():
    # CPython registers shared memory also where it is only opened, and the tracker then removes what belongs to others.
    from multiprocessing import resource_tracker
    register = resource_tracker.register
    def register_new(name, kind):
        if kind != 'shared_memory' or sys._getframe(1).f_locals.get('create', True):
            register(name, kind)
    resource_tracker.register = register_new

register_own()

if stdin:
    keep_stdin()

if daemon:
    import _thread
    _thread.start_new_thread(watch, ())
