# SPDX-License-Identifier: MIT
"""The promises of NodeProcess to Python programs. `python node_parent.py <module> <scenario>` prints a line per check."""
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from multiprocessing import connection

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.join(HERE, '..', '..', 'interop', 'python')
sys.path.insert(0, PACKAGE)

import node_multiprocessing
from node_multiprocessing import NodeProcess

SECONDS = 60
SPAWN = multiprocessing.get_context('spawn')


def ok(name):
    print(name, flush=True)


def raises(kind, words, call):
    try:
        call()
    except kind as error:
        assert words in str(error), error
    else:
        raise AssertionError('%s was not raised' % kind.__name__)


def talking(module, function, *args, **options):
    ours, theirs = SPAWN.Pipe()
    process = NodeProcess('%s:%s' % (module, function), args=(theirs, *args), **options)
    process.start()
    theirs.close()
    return process, ours


def arguments(module):
    process, conn = talking(module, 'echo', 1, 'two', [None, {'a': (3,)}], kwargs={'last': b'bytes'}, name='a name')
    assert conn.recv() == [1, 'two', [None, {'a': [3]}], {'last': b'bytes'}]
    about = conn.recv()
    assert about == {
        'name': 'a name', 'parent': os.getpid(), 'parentName': 'MainProcess', 'isMain': False, 'daemon': False,
        'authkey': bytes(multiprocessing.current_process().authkey),
    }, about
    process.join()
    ok('arguments')
    process, conn = talking(module, 'echo', 'x' * 3000000)
    assert conn.recv() == ['x' * 3000000]
    conn.recv()
    process.join()
    ok('large arguments')
    assert NodeProcess(module + ':echo').name.startswith('NodeProcess-')


def states(module):
    process, conn = talking(module, 'untilClosed')
    assert process.is_alive() and process.exitcode is None and process.pid > 0
    assert process in multiprocessing.active_children()
    process.join(0.01)
    assert process.exitcode is None
    raises(ValueError, 'still running', process.close)
    assert connection.wait([process.sentinel], 0) == []
    conn.close()
    assert connection.wait([process.sentinel], SECONDS) == [process.sentinel]
    process.join()
    assert process.exitcode == 0 and not process.is_alive()
    assert process not in multiprocessing.active_children()
    process.close()
    raises(ValueError, 'closed', process.is_alive)
    ok('states')


def ends(module):
    for function, exitcode in ('seven', 7), ('fails', 1), ('missing', 1):
        process = NodeProcess('%s:%s' % (module, function))
        process.start()
        process.join()
        assert process.exitcode == exitcode, (function, process.exitcode)
    for method, number in ('terminate', signal.SIGTERM), ('kill', signal.SIGKILL):
        # There Node's handler of the signal waits for a call into a library, which a busy loop never makes.
        if method == 'terminate' and os.environ.get('NODE_MULTIPROCESSING_SANITIZER') == 'thread':
            continue
        process, conn = talking(module, 'busy')
        conn.recv()
        getattr(process, method)()
        process.join(SECONDS)
        assert process.exitcode == -number
    ok('ends')


def refusals(module):
    raises(TypeError, 'target', lambda: NodeProcess(7))
    raises(ValueError, 'target', lambda: NodeProcess('module-alone'))
    raises(ValueError, 'target', lambda: NodeProcess(':function'))
    raises(FileNotFoundError, 'nothing.mjs', NodeProcess('nothing.mjs:function').start)
    raises(FileNotFoundError, 'no-such-node', NodeProcess(module + ':echo', node='no-such-node').start)
    raises(FileNotFoundError, 'node on the PATH', NodeProcess(module + ':echo', env={'PATH': '/nowhere'}).start)
    raises(AssertionError, 'twice', lambda: [process.start() for process in [NodeProcess(module + ':seven')] * 2])
    fork = multiprocessing.get_context('fork')
    for make in fork.Lock, fork.Queue, fork.JoinableQueue, fork.Event, fork.Condition, fork.SimpleQueue:
        raises(ValueError, "get_context('spawn')", NodeProcess(module + ':echo', args=([make()],)).start)
    raises(RuntimeError, 'inheritance', lambda: multiprocessing.reduction.ForkingPickler.dumps(SPAWN.Queue()))
    for child in multiprocessing.active_children():
        child.join()
    ok('refusals')


def package(module):
    """A copy of the file finds the package, and fails without the package."""
    folder = tempfile.mkdtemp()
    shutil.copy(node_multiprocessing.__file__, folder)
    shutil.copy(os.path.join(HERE, '..', 'package', 'plain.mjs'), folder)
    worker = os.path.join(folder, 'plain.mjs')
    here = node_multiprocessing.__file__
    node_multiprocessing.__file__ = os.path.join(folder, 'node_multiprocessing.py')
    raises(FileNotFoundError, 'node_modules', NodeProcess(worker + ':seven').start)
    os.mkdir(os.path.join(folder, 'modules'))
    root = os.path.realpath(os.path.join(HERE, '..', '..'))
    os.symlink(root, os.path.join(folder, 'modules', 'node-multiprocessing'))
    for env in {**os.environ, 'NODE_PATH': os.path.join(folder, 'modules')}, None:
        if env is None:
            os.rename(os.path.join(folder, 'modules'), os.path.join(folder, 'node_modules'))
        process = NodeProcess('plain.mjs:seven', cwd=folder, env=env)
        process.start()
        process.join()
        assert process.exitcode == 7, process.exitcode
    node_multiprocessing.__file__ = here
    shutil.rmtree(folder)
    ok('package')


def forked(module):
    """With a fork of the parent alive, child and parent still notice each other's end."""
    process, conn = talking(module, 'untilClosed')
    sibling = multiprocessing.get_context('fork').Process(target=lambda: os.read(sleeper, 1))
    sleeper, waker = os.pipe()
    sibling.start()
    process.kill()
    assert connection.wait([process.sentinel], SECONDS) == [process.sentinel]
    process.join()
    os.write(waker, b'x')
    sibling.join()
    assert sibling.exitcode == 0
    ok('forked')


def daemons(module):
    """Leaves a daemonic child in a busy loop. The child must be ended."""
    process, conn = talking(module, 'busy', daemon=True)
    assert process.daemon
    print(conn.recv(), flush=True)


def orphans(module):
    """Prints its number, to be killed; that of a daemonic child; and those of two forks, which live on."""
    closed, _ = talking(module, 'untilClosed')
    closed.terminate()
    closed.join()
    closed.close()
    process, conn = talking(module, 'busy', daemon=True)
    pid = conn.recv()

    def live_on():
        signal.alarm(SECONDS)
        signal.pause()

    sibling = multiprocessing.get_context('fork').Process(target=live_on)
    sibling.start()
    plain = os.fork()
    if plain == 0:
        live_on()
    print(pid, sibling.pid, plain, flush=True)
    threading.Event().wait()


def all_checks(module):
    for check in arguments, states, ends, refusals, package, forked:
        check(module)


if __name__ == '__main__':
    watchdog = threading.Timer(2 * SECONDS, os._exit, (3,))
    watchdog.daemon = True
    watchdog.start()
    globals()[sys.argv[2]](sys.argv[1])
