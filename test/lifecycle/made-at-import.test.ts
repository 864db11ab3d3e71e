// SPDX-License-Identifier: MIT
//
// Modules without the guard `isMainProcess` that make more than a Process: each child makes the same again while it imports
// the module of its function.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect } from 'chai';

import { concreteClasses } from '../helpers/declarations.js';
import { newestPython, packageRoot, spawnPeer } from '../helpers/index.js';

/** Makes an object of each class, as a child's module may do by itself. */
const MAKERS = `{
  Condition: () => new mp.Condition(),
  Connection: () => mp.Pipe(),
  Event: () => new mp.Event(),
  NamedSemaphore: () => mp.NamedSemaphore.create('/mp-import-' + process.pid, 1).unlink(),
  Lock: () => new mp.Lock().acquireSync(),
  RLock: () => new mp.RLock().acquireSync(),
  Semaphore: () => new mp.Semaphore(1).acquireSync(),
  BoundedSemaphore: () => new mp.BoundedSemaphore(1).acquireSync(),
  Queue: () => new mp.Queue().putSync(1),
  SimpleQueue: () => new mp.SimpleQueue().putSync(1),
  JoinableQueue: () => new mp.JoinableQueue({ leases: true, leaseBytes: 65536 }).putSync(1),
  Barrier: () => new mp.Barrier(1).waitSync(),
  SharedMemory: () => new mp.SharedMemory({ create: true, size: 10 }),
  ShareableList: () => new mp.ShareableList([1]),
  RawValue: () => new mp.RawValue('i'),
  Value: () => new mp.Value('i'),
  RawArray: () => new mp.RawArray('i', 1),
  SharedArray: () => new mp.Array('i', 1),
  ManagedDict: () => new managers.ManagedDict(),
  ManagedEvent: () => new managers.ManagedEvent(),
  ManagedLock: () => new managers.ManagedLock(),
  ManagedQueue: () => new managers.ManagedQueue(),
  RedisQueue: () => new redis.RedisQueue(remote),
  RedisJoinableQueue: () => new redis.RedisJoinableQueue(remote),
  RedisPool: () => new redis.RedisPool(remote),
  Listener: () => new mp.Listener(),
  ManagerServer: () => new managers.ManagerServer({ authkey }),
  ManagerClient: () => managers.ManagerClient.connect({ authkey, address: '/no/such/socket' }),
  Process: () => new mp.Process({ module: import.meta.url, target: work }).start(),
  PythonProcess: () => new mp.PythonProcess({ target: 'math:sqrt', python }).start(),
  Pool: () => new mp.Pool({ module: import.meta.url, target: work }).ready(),
  PythonPool: () => new mp.PythonPool({ target: 'math:sqrt', python }).ready(),
  RedisPoolWorker: () => new redis.RedisPoolWorker({ ...remote, module: import.meta.url, target: work }).ready(),
}`;

/** The errors of those that start something, or use what is not there. The others may be made at any time. */
const REFUSED: Readonly<Record<string, string>> = {
  Listener: 'ERR_MP_NOT_SUPPORTED',
  ManagerServer: 'ERR_MP_NOT_SUPPORTED',
  ManagerClient: 'ENOENT',
  Process: 'ERR_MP_NOT_SUPPORTED',
  PythonProcess: 'ERR_MP_NOT_SUPPORTED',
  Pool: 'ERR_MP_NOT_SUPPORTED',
  PythonPool: 'ERR_MP_NOT_SUPPORTED',
  RedisPoolWorker: 'ERR_MP_NOT_SUPPORTED',
};

/** The classes of objects that other objects make. */
const MADE_BY_OTHERS = ['CurrentProcess', 'ParentProcess', 'Guard', 'Lease', 'ManagerProxy', 'RedisLease'];

describe('A module without the guard', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'made-at-import-'));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  function run(program: string): Promise<string> {
    const file = join(folder, 'program.mjs');
    const managers = pathToFileURL(join(packageRoot, 'dist', 'managers.js')).href;
    const index = pathToFileURL(join(packageRoot, 'dist', 'index.js')).href;
    writeFileSync(
      file,
      `import * as mp from '${index}'; import { ManagerServer } from '${managers}';
export function work() { return 5; }
const show = (error) => console.log(error.stage ?? '', error.cause?.code ?? error.code, /isMainProcess/.test(error.message));
${program}`,
    );
    return spawnPeer({ language: 'node', label: 'node', command: process.execPath, args: [file] }).succeeded();
  }

  it('may make objects of each class that starts no process and no server', async () => {
    const urls = ['index', 'managers', 'redis'].map(
      (name) => pathToFileURL(join(packageRoot, 'dist', `${name}.js`)).href,
    );
    const [, managers, redis] = urls;
    const program = `
import * as managers from '${managers}';
import * as redis from '${redis}';
const client = { duplicate: () => client, sendCommand: async () => { throw new Error('away'); }, on: () => client };
const [remote, authkey, python] = [{ client, name: 'none' }, Buffer.from('key'), ${JSON.stringify(newestPython().path)}];
const made = {};
if (!mp.isMainProcess) {
  for (const [name, make] of Object.entries(${MAKERS})) {
    try {
      await make();
      made[name] = 'made';
    } catch (error) {
      made[name] = error.code;
    }
  }
  console.log(JSON.stringify(made));
} else {
  const child = new mp.Process({ module: import.meta.url, target: work });
  child.start();
  console.log(await child.join(), child.exitcode);
}`;
    const [made, ended] = (await run(program)).split('\n');
    const classes = ['index', 'managers', 'redis'].flatMap(concreteClasses);
    const expected = classes
      .filter((name) => !MADE_BY_OTHERS.includes(name))
      .map((name) => [name, REFUSED[name] ?? 'made']);
    expect(JSON.parse(made!)).to.deep.equal(Object.fromEntries(expected));
    expect(ended).to.equal('true 0');
  });

  // Regression: a server that a child makes at its import kept the child alive, and join() waited for ever.
  for (const [title, make] of [
    ['a Listener', 'const made = new mp.Listener(); made.accept().catch(() => {});'],
    ['a ManagerServer', "const made = new ManagerServer({ authkey: Buffer.from('key') });"],
    ['a Listener after an await', 'await 0; const made = new mp.Listener(); made.accept().catch(() => {});'],
  ]) {
    it(`that makes ${title} fails in the first child, which says what to write`, async () => {
      const program = `${make}
if (mp.isMainProcess) {
  const child = new mp.Process({ module: import.meta.url, target: work, stdio: ['ignore', 'inherit', 'ignore'] });
  child.start();
  await child.join().catch(show);
  made.close();
}`;
      expect(await run(program)).to.equal('import ERR_MP_NOT_SUPPORTED true\n');
    });
  }

  it('that makes a pool fails in the first worker, and all tasks with it', async () => {
    const program = `
const pool = new mp.Pool({ module: import.meta.url, target: work, processes: 1 });
await pool.apply([]).catch(show);
await pool.close();`;
    expect(await run(program)).to.match(/^\S* ?ERR_MP_\w+ true\n$/);
  });

  // Regression: each worker started the next process, without end, since it was told nothing of the import.
  it('that makes a worker thread fails in the first child', async () => {
    const program = `
import { isMainThread, Worker } from 'node:worker_threads';
if (isMainThread) new Worker(new URL(import.meta.url));
else {
  const child = new mp.Process({ module: import.meta.url, target: work, stdio: ['ignore', 'inherit', 'ignore'] });
  child.start();
  await child.join().catch(show);
}`;
    expect(await run(program)).to.equal('run ERR_MP_NOT_SUPPORTED true\n');
  });

  it('that makes a worker thread cannot start processes in the threads that this one makes later', async () => {
    const program = `
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
const make = (name) => new Worker(new URL(import.meta.url), { workerData: name });
const first = !mp.isMainProcess && isMainThread ? make('first') : undefined;
export const begin = () => first.postMessage('the import is done');
const child = (target) => new mp.Process({ module: import.meta.url, target });
if (mp.isMainProcess) {
  const started = child(begin);
  started.start();
  await started.join();
} else if (workerData === 'first') {
  parentPort.once('message', () => make('second'));
} else if (workerData === 'second') {
  try {
    child(work).start();
  } catch ({ code }) {
    console.log(code);
  }
}`;
    expect(await run(program)).to.equal('ERR_MP_NOT_SUPPORTED\n');
  });

  it('may start processes in a worker thread of the function', async () => {
    const program = `
import { isMainThread, Worker } from 'node:worker_threads';
export const make = () => new Worker(new URL(import.meta.url));
const run = async (target) => {
  const child = new mp.Process({ module: import.meta.url, target });
  child.start();
  console.log(await child.join(), child.exitcode);
};
if (mp.isMainProcess) await run(make);
else if (!isMainThread) await run(work);`;
    expect(await run(program)).to.equal('true 0\ntrue 0\n');
  });

  it('may make a Listener in the function', async () => {
    const program = `
export function serve() { new mp.Listener().close(); }
if (mp.isMainProcess) {
  const child = new mp.Process({ module: import.meta.url, target: serve });
  child.start();
  console.log(await child.join(), child.exitcode);
}`;
    expect(await run(program)).to.equal('true 0\n');
  });
});
