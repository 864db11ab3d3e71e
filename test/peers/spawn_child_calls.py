# SPDX-License-Identifier: MIT
#
# spawn_child_calls.py <lib/python/spawn_child.py>: calls the functions of that file, each time in a namespace as the process
# pickle provides it. Prints as JSON, for each case, what was returned or raised, and the reports that arrived.
import json
import os
import pickle
import signal
import socket
import sys
import types

with open(sys.argv[1]) as file:
    program = compile(file.read(), sys.argv[1], 'exec')


def namespace(channel, daemon=False):
    names = {'handle': channel.fileno(), 'daemon': daemon, 'grace': 0.05, 'stdin': False, 'records': None}
    exec(program, names)
    return names


def reports_of(channel):
    """All reports up to the end of the channel."""
    with channel.makefile('rb') as stream:
        found = []
        while True:
            header = stream.read(4)
            if not header:
                return found
            found.append(pickle.loads(stream.read(int.from_bytes(header, 'big'))))


def run(call):
    """Gives the namespace to the function and closes the channel after that."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            names = namespace(theirs)
        try:
            result = {'value': call(names)}
        except BaseException as error:
            result = {'error': type(error).__name__, 'message': str(error)}
        os.close(names['channel'])
        return dict(result, reports=reports_of(ours))


def other_implementation(names):
    names['sys'] = types.SimpleNamespace(implementation=types.SimpleNamespace(name='pypy'), executable='pypy3')
    names['check']()


def too_old(names):
    real = sys.implementation
    names['sys'] = types.SimpleNamespace(implementation=real, executable='python3.7', version_info=(3, 7, 9))
    names['check']()


def take_arguments(names):
    args = names['load'](pickle.dumps({'args': (1, 2), 'kwargs': {'key': 3}}))
    return [args, names['kwargs']]


def forked(names):
    pid = os.fork()
    if pid == 0:
        names['send'](type='from the forked process')
        os._exit(0)
    os.waitpid(pid, 0)
    names['send'](type='from the child')


def raising(error):
    class Process:
        def run(self):
            raise error

    return lambda names: names['watched'](Process)()


def read_clone(process):
    pickle.loads(b'\xff\x0f"\x01a')


def end_of_daemon(disposition):
    """The signal that ends a daemon when its parent ends."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        signal.signal(signal.SIGTERM, disposition)
        namespace(theirs, daemon=True)
        while True:
            signal.pause()
    ours.close()
    theirs.close()
    _, status = os.waitpid(pid, 0)
    return {'signal': signal.Signals(os.WTERMSIG(status)).name}


print(json.dumps({
    'cpython': run(lambda names: names['check']()),
    'other implementation': run(other_implementation),
    'too old': run(too_old),
    'arguments': run(take_arguments),
    'garbage': run(lambda names: names['load'](b'garbage')),
    'function': run(lambda names: names['find']('os', 'path.join') is os.path.join),
    'no module': run(lambda names: names['find']('no_such_module', 'function')),
    'no function': run(lambda names: names['find']('select', 'no_such_function')),
    'no member': run(lambda names: names['find']('os', 'no_such_object.function')),
    'forked': run(forked),
    'failure': run(raising(ValueError('wrong'))),
    'long failure': run(raising(ValueError('x' * 100000))),
    'exit': run(raising(SystemExit(3))),
    'structured clone': run(lambda names: names['watched'](types.SimpleNamespace(run=read_clone))()),
    'terminated': end_of_daemon(signal.SIG_DFL),
    'killed': end_of_daemon(signal.SIG_IGN),
}))
