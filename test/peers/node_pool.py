# SPDX-License-Identifier: MIT
#
# A Python program with a NodePool: `node_pool.py <module>`. Prints the name of each check that has passed.
import concurrent.futures
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'interop', 'python'))
from node_multiprocessing import NodeError, NodePool  # noqa: E402


def raises(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError('%s was not raised' % kind.__name__)


def results(module):
    with NodePool(module, max_workers=2) as pool:
        assert pool.submit('add', 3, 4).result() == 7
        assert pool.submit('add_async', 3, 4).result() == 7
        assert list(pool.map('mul', [1, 2, 3], [4, 5, 6])) == [4, 10, 18]
        assert pool.submit('echo', {'a': [1, None, 'x' * 1000000]}).result() == {'a': [1, None, 'x' * 1000000]}


def errors(module):
    with NodePool(module, max_workers=1) as pool:
        pid = pool.submit('pid').result()
        error = raises(NodeError, pool.submit('fail', 'so bad').result)
        assert (error.name, str(error)) == ('RangeError', 'so bad') and 'fail' in error.stack, error.stack
        raises(NodeError, pool.submit('unsendable').result)
        raises(NodeError, pool.submit('no_such_function').result)
        raises(Exception, pool.submit('echo', threading.Lock()).result)
        raises(TypeError, lambda: pool.submit(len, 'a'))
        assert pool.submit('pid').result() == pid


def deaths(module):
    with NodePool(module, max_workers=2) as pool:
        others = [pool.submit('add', i, 1) for i in range(20)]
        raises(concurrent.futures.BrokenExecutor, pool.submit('exit_with', 3).result)
        raises(concurrent.futures.BrokenExecutor, pool.submit('kill_self').result)
        assert [other.result() for other in others] == list(range(1, 21))
        assert pool.submit('add', 3, 4).result() == 7


def ends(module):
    pool = NodePool(module, max_workers=1)
    futures = [pool.submit('add', i, 1) for i in range(5)]
    pool.shutdown()
    assert [future.result() for future in futures] == [1, 2, 3, 4, 5]
    raises(RuntimeError, lambda: pool.submit('add', 1, 2))
    pool.shutdown()
    pool = NodePool(module, max_workers=1)
    futures = [pool.submit('add_async', i, 1) for i in range(50)]
    futures[0].result()
    pool.shutdown(cancel_futures=True)
    done, waiting = concurrent.futures.wait(futures)
    assert not waiting and any(future.cancelled() for future in done)
    raises(FileNotFoundError, lambda: NodePool('no-such-file.mjs'))
    raises(ValueError, lambda: NodePool(module, max_workers=0))


if __name__ == '__main__':
    for check in (results, errors, deaths, ends):
        check(sys.argv[1])
        print(check.__name__, flush=True)
