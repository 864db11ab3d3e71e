// SPDX-License-Identifier: MIT
//
// Unmodified clients of Python, from multiprocessing.managers, with objects of Node.
import { expect } from 'chai';
import { ManagedDict, ManagedEvent, ManagedLock, ManagedQueue, ManagerServer } from 'node-multiprocessing/managers';

import { edgePythons, ownTmpdir, pythonPeer, spawnPeer, within, type Peer, type Python } from '../helpers/index.js';

const authkey = Buffer.from('key');

const open = new Set<ManagerServer>();

/** A server with one object of each kind, which is closed when the test is over. */
function startServer(options: Partial<ConstructorParameters<typeof ManagerServer>[0]> = {}): {
  server: ManagerServer;
  queue: ManagedQueue;
  tasks: ManagedQueue;
  lock: ManagedLock;
} {
  const server = new ManagerServer({ authkey, syncTypes: true, ...options });
  open.add(server);
  const [queue, tasks, lock] = [new ManagedQueue(), new ManagedQueue({ lease: 'taskDone' }), new ManagedLock()];
  server.register('get_queue', queue).register('get_tasks', tasks).register('get_lock', lock);
  server.register('get_dict', new ManagedDict()).register('get_event', new ManagedEvent());
  server.register('make_queue', (maxsize: number) => new ManagedQueue(maxsize));
  server.register('calc', {
    add: (a: number, b: number) => a + b,
    named: (a: number, byName: object) => [a, byName],
    fail: () => {
      throw new RangeError('no');
    },
    later: async (value: unknown) => await Promise.resolve([value]),
    unsendable: () => () => 1,
    _hidden: () => 'secret',
  });
  server.register('hub', { inner: () => new ManagedQueue() }, { methodToTypeid: { inner: 'inner' } });
  return { server, queue, tasks, lock };
}

function start(python: Python, server: ManagerServer, ...args: string[]): Peer {
  return spawnPeer(pythonPeer(python, 'managers_peer'), { args: [JSON.stringify(server.address), ...args] });
}

/** The lines that a client prints until its end. */
async function run(python: Python, server: ManagerServer, ...args: string[]): Promise<unknown[]> {
  const output = await start(python, server, ...args).succeeded();
  return output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown);
}

describe('ManagerServer', () => {
  // Before the folder is looked at, in which they listen.
  afterEach(() => {
    for (const server of open) server.close();
    open.clear();
  });
  ownTmpdir();

  for (const python of edgePythons()) {
    describe(`with clients of python${python.version}`, () => {
      it("serves the remote manager of CPython's documentation, over TCP", async () => {
        const { server, queue } = startServer({ family: 'AF_INET' });
        expect(await run(python, server, 'example')).to.deep.equal(['hello']);
        await run(python, server, 'put', '"from Python"');
        expect(await queue.get()).to.equal('from Python');
        await queue.put({ from: ['Node', 1.5] });
        expect(await run(python, server, 'get', '1')).to.deep.equal(["{'from': ['Node', 1.5]}"]);
      });

      it('gives one client exactly what another one has put', async () => {
        const { server } = startServer();
        const value =
          '[1, 1.0, (2, (3.0,)), {"2": 1, "1": (), 3.0: None}, {4, 5.0}, frozenset([(6,)]), bytearray(b"x"), 2**70]';
        expect((await run(python, server, 'echo', value))[0]).to.have.property('0', true);
      });

      it('has the methods and errors of queue.Queue', async () => {
        const { server } = startServer();
        const lines = await run(python, server, 'queue');
        expect(lines.slice(0, 2)).to.deep.equal([
          [0, true, false],
          [2, false, true],
        ]);
        expect(JSON.stringify(lines[2])).to.match(/^\[\["queue.Full",""\],\["queue.Full",""\],\["queue.Full",""\]\]$/);
        expect(lines[3]).to.deep.equal([1, 2, ['_queue.Empty', ''], ['_queue.Empty', '']]);
        expect((lines[4] as string[][]).map(([type]) => type)).to.deep.equal([
          'builtins.ValueError',
          ...Array<string>(3).fill('builtins.TypeError'),
        ]);
        expect(lines[5]).to.deep.equal(['builtins.ValueError', 'task_done() called too many times']);
        expect(lines[6]).to.deep.equal(['queue.ShutDown', 'last']);
      });

      it('has the methods and errors of dict', async () => {
        const { server } = startServer();
        expect(await run(python, server, 'dict')).to.deep.equal([
          [1, true, 3, "{'a': 1, 'b': (1, 2.0), 'c': None}", ['builtins.KeyError', "'zz'"]],
          ['one', 'one', 5, null, null, 6, ['builtins.KeyError', "'c'"]],
          ['tuple', ['builtins.TypeError', "unhashable type: 'list'"], 1, 9],
          [[[1, 2], 'tuple'], ["('a', 1)", "('b', (1, 2.0))", "(1, 'one')"], '<dict of 3 entries>'],
          [0, ['builtins.KeyError', "'popitem(): dictionary is empty'"]],
        ]);
      });

      it('serves a SyncManager: dict with its iterator, locks, events, queues, and forgets what is given up', async () => {
        const { server } = startServer();
        expect(await run(python, server, 'sync')).to.deep.equal([
          [['x', 'y'], { x: 1, y: 2 }, true, ['x', 'y']],
          true,
          [true, false, false, null, ['builtins.RuntimeError', 'release unlocked lock']],
          [false, false, null, true, null, false],
          [1, null, null],
          0,
        ]);
      });

      it('lets clients call the methods of an object, and get proxies from them', async () => {
        const { server } = startServer();
        const [calls, failures, proxy, count] = (await run(python, server, 'methods')) as unknown[][];
        expect(calls?.slice(0, 3)).to.deep.equal([3, [1, { x: 3 }], ['builtins.ValueError', 'no']]);
        expect(calls?.[3]).to.have.property('0', 'multiprocessing.managers.RemoteError');
        expect(calls?.[4]).to.equal('<Object of Node>');
        expect(failures?.[0]).to.deep.equal([5]);
        expect(failures?.[1]).to.have.property('0', 'multiprocessing.managers.RemoteError');
        expect(proxy).to.deep.equal(['AutoProxy[inner]', 'through a proxy']);
        expect(count).to.equal(2);
      });

      it('hands an item out again whose client was killed, and not one whose client ended', async () => {
        const { server, queue } = startServer();
        await queue.put('first');
        await queue.put('second');
        const killed = start(python, server, 'hold', 'queue');
        expect(JSON.parse(await killed.line())).to.equal('first');
        expect(queue.qsize()).to.equal(1);
        killed.kill();
        await killed.exit;
        expect(await run(python, server, 'get', '1')).to.deep.equal(["'first'"]);
        const ended = start(python, server, 'hold', 'queue');
        expect(JSON.parse(await ended.line())).to.equal('second');
        await ended.release();
        await ended.succeeded();
        await until(() => server.connections === 0);
        expect(queue.qsize()).to.equal(0);
      });

      it("hands an item out again until task_done, with lease 'taskDone', so that join ends", async () => {
        const { server, tasks } = startServer();
        await tasks.put('task');
        const ended = start(python, server, 'hold', 'tasks');
        expect(JSON.parse(await ended.line())).to.equal('task');
        const joined = tasks.join();
        await ended.release();
        await ended.succeeded();
        expect(await within(10_000, tasks.get(), 'the task comes back')).to.equal('task');
        tasks.taskDone();
        await within(10_000, joined, 'join');
      });

      it('gives no item to a client that was killed while it waited', async () => {
        const { server, queue } = startServer();
        const killed = start(python, server, 'hold', 'wait');
        await killed.line();
        await until(() => server.connections === 1);
        killed.kill();
        await killed.exit;
        await until(() => server.connections === 0);
        await queue.put('kept');
        expect(queue.qsize()).to.equal(1);
      });

      it('releases the lock of a client that was killed', async () => {
        const { server, lock } = startServer();
        const killed = start(python, server, 'hold', 'lock');
        await killed.line();
        expect(await lock.acquire({ block: false })).to.equal(false);
        const acquired = lock.acquire();
        killed.kill();
        expect(await within(10_000, acquired, 'the lock')).to.equal(true);
      });
    });
  }

  it('serves a hundred threads of clients at a time', async () => {
    const { server, queue } = startServer();
    const python = edgePythons().at(-1) as Python;
    expect(await run(python, server, 'threads', '100')).to.deep.equal([true]);
    expect(queue.qsize()).to.equal(0);
  });
});

/** Resolves when a condition holds, which it will after events of the server. */
async function until(condition: () => boolean): Promise<void> {
  const wait = async (): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  };
  await within(20_000, wait(), condition.toString());
}
