// SPDX-License-Identifier: MIT

/**
 * What the process pickle has the child run while it is loaded: plain Python for the standard library of 3.8 and later (and
 * so that older ones can say that they are too old). It reports to the parent, as Node children do (bootstrap.ts), over the
 * descriptor on which CPython receives its pickles: when everything was taken over, and what the child fails with. CPython
 * prints tracebacks itself. Given as globals: `handle`, that descriptor, and `daemon`.
 */
export const script = `
import os, pickle, sys

# CPython closes its own once the pickles are loaded.
channel, pid = os.dup(handle), os.getpid()

def send(**report):
    # After a fork it is somebody else's.
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
    import traceback
    kind, error, _ = sys.exc_info()
    if kind is not SystemExit:
        message = ''.join(traceback.format_exception_only(kind, error)).strip()
        # Both fit what the system buffers: a parent that is blocked does not read.
        send(type='failed', stage=stage, message=message[:8192], stack=traceback.format_exc()[-32768:])

def check():
    if sys.implementation.name != 'cpython':
        raise RuntimeError('%s is %s, not CPython' % (sys.executable, sys.implementation.name))
    if sys.version_info < (3, 8):
        raise RuntimeError('%s is Python %d.%d; 3.8 or later is needed' % ((sys.executable,) + sys.version_info[:2]))

def load(data):
    global kwargs
    try:
        check()
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
    except BaseException:
        failed(stage)
        raise
    return target

def watch():
    import select, signal, time
    poll = select.poll()
    poll.register(channel, 0)
    # No event is asked for, so that only the end of the other side is reported.
    while not poll.poll():
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(2)
    os.kill(os.getpid(), signal.SIGKILL)

def watched(process_class):
    # What Process.run is overridden for.
    def run():
        import multiprocessing
        try:
            process_class.run(multiprocessing.current_process())
        except BaseException:
            failed('run')
            raise
    return run

if daemon:
    import _thread
    _thread.start_new_thread(watch, ())
`;
