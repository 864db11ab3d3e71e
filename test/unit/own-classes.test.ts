// SPDX-License-Identifier: MIT
//
// Objects of the package that belong to their process. Their state is private, so a serialisation would see an empty object.
// Regression: such objects arrived empty, or with the few fields that are public. So did iterators, later.
import { expect } from 'chai';
import * as mp from 'node-multiprocessing';
import * as managers from 'node-multiprocessing/managers';
import * as redis from 'node-multiprocessing/redis';

import { awayRedis } from '../helpers/away-redis.js';
import { concreteClasses, methodsOf, returns } from '../helpers/declarations.js';
import { ownTmpdir, throws } from '../helpers/index.js';

const remote = { client: awayRedis, name: 'own' };
const authkey = Buffer.from('key');
const module = import.meta.url;

/** What travels, by copy or as the same object, or is an ordinary value. Other tests have these. */
const CARRIED = [
  ...['Connection', 'Queue', 'SimpleQueue', 'JoinableQueue', 'Lock', 'RLock', 'Semaphore', 'BoundedSemaphore'],
  ...['Condition', 'Event', 'Barrier', 'SharedMemory', 'ShareableList', 'RawValue', 'Value', 'RawArray', 'SharedArray'],
];

/** Makes an object of each other class, and says how it is closed. */
const makers: Readonly<Record<string, () => object | Promise<object>>> = {
  CurrentProcess: () => mp.currentProcess(),
  Process: () => new mp.Process({ module, target: 'none' }),
  PythonProcess: () => new mp.PythonProcess({ target: 'math:sqrt' }),
  Pool: () => new mp.Pool({ module, target: 'none', minProcesses: 0 }),
  PythonPool: () => new mp.PythonPool({ target: 'math:sqrt', minProcesses: 0 }),
  Listener: () => new mp.Listener(),
  NamedSemaphore: () => {
    const semaphore = mp.NamedSemaphore.create(`/mp-own-${process.pid}`, 0);
    semaphore.unlink();
    return semaphore;
  },
  ManagerServer: () => new managers.ManagerServer({ authkey }),
  ManagedDict: () => new managers.ManagedDict(),
  ManagedEvent: () => new managers.ManagedEvent(),
  ManagedLock: () => new managers.ManagedLock(),
  ManagedQueue: () => new managers.ManagedQueue(),
  RedisQueue: () => new redis.RedisQueue(remote),
  RedisJoinableQueue: () => new redis.RedisJoinableQueue(remote),
  RedisPool: () => new redis.RedisPool(remote),
  RedisPoolWorker: () => new redis.RedisPoolWorker({ ...remote, module, target: 'none', minProcesses: 0 }),
};

/** Those that others make: a ParentProcess is in children only, and a RedisLease needs a Redis. */
const ELSEWHERE = ['ParentProcess', 'RedisLease'];

/** The methods of an entry that return an iterator, but for those of the iterators themselves. */
function iteratorMethods(entry: string): string[] {
  return methodsOf(entry)
    .filter(({ signatures }) => returns(signatures, ['AsyncGenerator', 'AsyncIterable', 'Generator']))
    .map(({ from, name }) => `${from}.${name}`);
}

/** Ends what an object holds. */
async function end(object: object): Promise<void> {
  const { terminate, close } = object as Record<string, (() => unknown) | undefined>;
  if (object instanceof mp.BaseProcess) object.close();
  else if (object instanceof mp.Guard) object.release();
  else await (terminate ?? close)?.call(object);
}

/** The iterators of the package, by the methods that make them. */
function iteratorsOf(objects: Readonly<Record<string, object>>): Record<string, object> {
  const { Pool, PythonPool, Listener, ManagedQueue, RedisQueue } = objects as {
    Pool: mp.Pool;
    PythonPool: mp.PythonPool;
    Listener: mp.Listener;
    ManagedQueue: managers.ManagedQueue;
    RedisQueue: redis.RedisQueue;
  };
  const [reader, writer] = mp.Pipe();
  const queue = new mp.Queue();
  try {
    return {
      'Connection.batches': reader.batches(),
      'Connection.asyncIterator': reader[Symbol.asyncIterator](),
      'BaseQueue.batches': queue.batches(),
      'BaseQueue.asyncIterator': queue[Symbol.asyncIterator](),
      'Listener.asyncIterator': Listener[Symbol.asyncIterator](),
      'BasePool.imap': Pool.imap([]),
      'BasePool.imapUnordered': Pool.imapUnordered([]),
      'BasePool.stream': Pool.stream([]),
      'PythonPool.stream': PythonPool.stream([]),
      'ManagedQueue.asyncIterator': ManagedQueue[Symbol.asyncIterator](),
      'RedisQueue.batches': RedisQueue.batches(1),
      'RedisQueue.asyncIterator': RedisQueue[Symbol.asyncIterator](),
    };
  } finally {
    for (const object of [reader, writer, queue]) object.close();
  }
}

describe('Objects that belong to their process', () => {
  ownTmpdir();

  function areRefused(objects: Readonly<Record<string, object>>): void {
    for (const serialization of ['structured', 'json', 'pickle'] as const) {
      const [reader, writer] = mp.Pipe(true, { serialization });
      for (const [name, object] of Object.entries(objects)) {
        const { message } = throws(() => writer.sendSync({ key: [object] }), { code: 'ERR_MP_NOT_SUPPORTED' });
        expect(message, `${name}, ${serialization}`).to.include(object.constructor.name);
      }
      writer.close();
      reader.close();
    }
    for (const [name, object] of Object.entries(objects)) {
      expect(() => structuredClone(object), name).to.throw();
      const child = new mp.Process({ module, target: 'none', args: [object] });
      expect(throws(() => child.start(), {}).message)
        .to.include(`args[0]`)
        .and.include(object.constructor.name);
    }
  }

  it('are refused by every serialization, with the name of their class', async () => {
    const lock = new mp.Lock();
    const objects: Record<string, object> = { Guard: await lock.guard() };
    for (const [name, make] of Object.entries(makers)) objects[name] = await make();
    const queue = new mp.JoinableQueue({ leases: true, leaseBytes: 64 * 1024 });
    queue.putSync(1);
    objects['Lease'] = queue.getLeaseSync();
    const server = new managers.ManagerServer({ authkey });
    server.register('get_queue', objects['ManagedQueue'] as object);
    const client = await managers.ManagerClient.connect({ address: server.address, authkey });
    Object.assign(objects, { ManagerClient: client, ManagerProxy: await client.create('get_queue') });
    const classes = ['index', 'managers', 'redis'].flatMap(concreteClasses);
    expect([...Object.keys(objects), ...CARRIED, ...ELSEWHERE]).to.have.members(classes);
    try {
      areRefused(objects);
      const iterators = iteratorsOf(objects);
      const methods = ['index', 'managers', 'redis'].flatMap(iteratorMethods);
      expect(Object.keys(iterators)).to.have.members([...new Set(methods)]);
      areRefused(iterators);
    } finally {
      for (const object of Object.values(objects)) await end(object);
      queue.close();
      lock.close();
      server.close();
    }
  });
});
