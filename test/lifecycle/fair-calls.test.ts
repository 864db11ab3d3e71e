// SPDX-License-Identifier: MIT
//
// Every asynchronous method gives up its turn: a loop of awaits lets timers run, even if each call is answered at once. The
// methods are found in the declarations, so a new one needs its call here.
import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { asyncMethods, promisingFunctions } from '../helpers/declarations.js';
import { ownTmpdir, timersDuring } from '../helpers/index.js';
import * as targets from './children/process-targets.js';
import { processOf, startWith, targetsUrl } from './support/processes.js';

type Step = () => Promise<unknown>;

/** The asynchronous methods of the declarations, each of the class that has it. CPython's spellings call them. */
function methods(): string[] {
  const found = asyncMethods('index').filter(({ name }) => !name.includes('_'));
  return [...new Set(found.map(({ from, name }) => `${from}.${name}`))].sort();
}

/** Makes the objects of a test, and what is closed after it. */
interface Case {
  readonly step: Step;
  /** The same call when it fails at once, if it can. */
  readonly failing?: Step | undefined;
  close(): void;
}

function connectionCase(call: (end: mp.Connection, other: mp.Connection) => Promise<unknown>): () => Case {
  return () => {
    const [end, other] = mp.Pipe();
    const [closed, unused] = mp.Pipe();
    closed.close();
    unused.close();
    const close = (): void => {
      end.close({ discard: true });
      other.close({ discard: true });
    };
    return { step: () => call(end, other), failing: () => call(closed, other), close };
  };
}

function caseOf<T extends { close(): void }>(make: () => T, call: (object: T) => Promise<unknown>): () => Case {
  return () => {
    const object = make();
    const closed = make();
    closed.close();
    return { step: () => call(object), failing: () => call(closed), close: () => object.close() };
  };
}

/** The first step of an iteration over something that gets an item before, unless it is closed. */
function firstOf(
  { closed }: { readonly closed: boolean },
  supply: () => void,
  items: AsyncIterable<unknown>,
): Promise<unknown> {
  if (!closed) supply();
  return items[Symbol.asyncIterator]().next();
}

async function getAndPut(queue: mp.BaseQueue<number>): Promise<void> {
  queue.getSync();
  await queue.put(1);
}

function fullQueue(): mp.Queue<number> {
  const queue = new mp.Queue<number>(1);
  queue.putSync(1);
  return queue;
}

function heldLock(): mp.RLock {
  const lock = new mp.RLock();
  lock.acquireSync();
  return lock;
}

function heldCondition(): mp.Condition {
  const condition = new mp.Condition();
  condition.acquireSync();
  return condition;
}

/** Of a pool that has ended, so that each call fails at once. */
function poolCase(call: (pool: mp.Pool<() => void>) => Promise<unknown>): () => Case {
  return () => {
    const pool = new mp.Pool({ module: targetsUrl, target: targets.nothing, minProcesses: 0 });
    const ended = pool.terminate();
    return { step: () => ended.then(() => call(pool)), close: () => undefined };
  };
}

function pythonPoolCase(call: (pool: mp.PythonPool) => Promise<unknown>): () => Case {
  return () => {
    const pool = new mp.PythonPool({ target: 'os:getpid', minProcesses: 0 });
    const ended = pool.terminate();
    return { step: () => ended.then(() => call(pool)), close: () => undefined };
  };
}

/** Of a pool without tasks. */
function idlePoolCase(call: (pool: mp.Pool<() => void>) => Promise<unknown>): () => Case {
  return () => {
    const pool = new mp.Pool({ module: targetsUrl, target: targets.nothing, minProcesses: 0 });
    return { step: () => call(pool), close: () => void pool.terminate() };
  };
}

/** Of a lease that has ended, so that each call fails at once. */
function leaseCase(call: (lease: mp.Lease<number>) => Promise<unknown>): () => Case {
  return () => {
    const queue = new mp.JoinableQueue<number>({ leases: true, leaseBytes: 64 * 1024 });
    queue.putSync(1);
    const lease = queue.getLeaseSync();
    lease.doneSync();
    return { step: () => call(lease), close: () => queue.close() };
  };
}

function setEvent(): mp.Event {
  const event = new mp.Event();
  event.setSync();
  return event;
}

function namedSemaphore(): mp.NamedSemaphore {
  const name = `/mp-fair-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const semaphore = mp.NamedSemaphore.create(name, 0);
  semaphore.unlink();
  return semaphore;
}

/** A call of each asynchronous method that is answered at once. */
// Regression: the iterations of pools did not let timers run.
const cases: Record<string, (() => Case) | (() => Case)[]> = {
  'BasePool.apply': poolCase((pool) => pool.apply([])),
  'BasePool.map': [poolCase((pool) => pool.map([undefined])), idlePoolCase((pool) => pool.map([]))],
  'BasePool.starmap': [poolCase((pool) => pool.starmap([[]])), idlePoolCase((pool) => pool.starmap([]))],
  'BasePool.imap': [poolCase((pool) => pool.imap([undefined]).next()), idlePoolCase((pool) => pool.imap([]).next())],
  'BasePool.imapUnordered': [
    poolCase((pool) => pool.imapUnordered([undefined]).next()),
    idlePoolCase((pool) => pool.imapUnordered([]).next()),
  ],
  'BasePool.stream': poolCase((pool) => pool.stream([]).next()),
  'BasePool.ready': poolCase((pool) => pool.ready()),
  'BasePool.close': poolCase((pool) => pool.close()),
  'BasePool.join': poolCase((pool) => pool.join()),
  'BasePool.terminate': poolCase((pool) => pool.terminate()),
  'BasePool.asyncDispose': poolCase((pool) => pool[Symbol.asyncDispose]()),
  'PythonPool.apply': pythonPoolCase((pool) => pool.apply([])),
  'PythonPool.stream': pythonPoolCase((pool) => pool.stream([]).next()),
  'BaseLease.done': leaseCase((lease) => lease.done()),
  'BaseLease.release': leaseCase((lease) => lease.release()),
  'BaseLease.asyncDispose': leaseCase((lease) => lease[Symbol.asyncDispose]()),
  'JoinableQueue.getLease': caseOf(
    () => new mp.JoinableQueue({ leases: true, leaseBytes: 64 * 1024 }),
    (queue) => queue.getLease({ block: false }),
  ),
  'Connection.send': connectionCase((end, other) => {
    const sent = end.send(1);
    other.tryRecv();
    return sent;
  }),
  'Connection.sendBytes': connectionCase((end, other) => {
    const sent = end.sendBytes(Buffer.of(1));
    other.tryRecvBytes();
    return sent;
  }),
  'Connection.recv': connectionCase((end) => end.recv({ timeout: 0 })),
  'Connection.recvBytes': connectionCase((end) => end.recvBytes(undefined, { timeout: 0 })),
  'Connection.recvBytesInto': connectionCase((end) => end.recvBytesInto(Buffer.alloc(1), 0, { timeout: 0 })),
  'Connection.flush': connectionCase((end) => end.flush()),
  'Connection.recvMany': connectionCase((end) => end.recvMany(1, { timeout: 0 })),
  'Connection.recvHandle': connectionCase((end) => end.recvHandle({ timeout: 0 })),
  'Connection.sendHandle': connectionCase((end) => end.sendHandle(-1)),
  'Connection.poll': connectionCase((end) => end.poll()),
  'Connection.batches': connectionCase((end, other) => firstOf(end, () => other.sendSync(1), end.batches())),
  'Connection.asyncIterator': connectionCase((end, other) => firstOf(end, () => other.sendSync(1), end)),
  'Connection.asyncDispose': connectionCase((end) => end[Symbol.asyncDispose]()),
  'BaseQueue.put': [
    caseOf(fullQueue, (queue) => queue.put(2, { block: false })),
    caseOf(fullQueue, (queue) => queue.put(2, { timeout: 0 })),
    () => ({ ...caseOf(fullQueue, getAndPut)(), failing: undefined }),
  ],
  'BaseQueue.get': [
    caseOf(
      () => new mp.Queue(),
      (queue) => queue.get({ block: false }),
    ),
    caseOf(
      () => new mp.SimpleQueue(),
      (queue) => queue.get({ timeout: 0 }),
    ),
  ],
  'BaseQueue.getMany': caseOf(
    () => new mp.SimpleQueue(),
    (queue) => queue.getMany(1, { timeout: 0 }),
  ),
  'BaseQueue.batches': caseOf(
    () => new mp.SimpleQueue<number>(),
    (queue) => firstOf(queue, () => queue.putSync(1), queue.batches()),
  ),
  'BaseQueue.asyncIterator': caseOf(
    () => new mp.SimpleQueue<number>(),
    (queue) => firstOf(queue, () => queue.putSync(1), queue),
  ),
  'JoinableQueue.getMany': caseOf(
    () => new mp.JoinableQueue(),
    (queue) => queue.getMany(1, { block: false }),
  ),
  'Queue.joinThread': caseOf(
    () => new mp.Queue(),
    (queue) => {
      queue.close();
      return queue.joinThread();
    },
  ),
  'JoinableQueue.get': caseOf(
    () => new mp.JoinableQueue(),
    (queue) => queue.get({ block: false }),
  ),
  'JoinableQueue.join': caseOf(
    () => new mp.JoinableQueue(),
    (queue) => queue.join(),
  ),
  'JoinableQueue.taskDone': caseOf(
    () => new mp.JoinableQueue(),
    (queue) => queue.taskDone(),
  ),
  'SemLock.acquire': [
    caseOf(heldLock, (lock) => lock.acquire()),
    caseOf(
      () => new mp.Semaphore(0),
      (semaphore) => semaphore.acquire({ block: false }),
    ),
  ],
  'SemLock.withLock': caseOf(
    () => new mp.Lock(),
    (lock) => lock.withLock(() => undefined),
  ),
  'SemLock.guard': caseOf(
    () => new mp.Lock(),
    async (lock) => {
      (await lock.guard()).release();
    },
  ),
  'Guard.asyncDispose': caseOf(
    () => new mp.Lock(),
    async (lock) => {
      await (await lock.guard())[Symbol.asyncDispose]();
    },
  ),
  'Condition.acquire': caseOf(heldCondition, (condition) => condition.acquire()),
  'Condition.withLock': caseOf(
    () => new mp.Condition(),
    (condition) => condition.withLock(() => undefined),
  ),
  'Condition.guard': caseOf(
    () => new mp.Condition(),
    async (condition) => {
      (await condition.guard()).release();
    },
  ),
  'Condition.wait': caseOf(heldCondition, (condition) => condition.wait(0)),
  'Condition.waitFor': caseOf(heldCondition, (condition) => condition.waitFor(() => true)),
  'Condition.notify': caseOf(heldCondition, (condition) => condition.notify()),
  'Condition.notifyAll': caseOf(heldCondition, (condition) => condition.notifyAll()),
  'Event.isSet': caseOf(setEvent, (event) => event.isSet()),
  'Event.set': caseOf(setEvent, (event) => event.set()),
  'Event.clear': caseOf(setEvent, (event) => event.clear()),
  'Event.wait': caseOf(setEvent, (event) => event.wait()),
  'NamedSemaphore.wait': caseOf(namedSemaphore, (semaphore) => semaphore.wait({ timeout: 0 })),
  'Value.withLock': caseOf(
    () => new mp.Value('i'),
    (value) => value.withLock(() => undefined),
  ),
  'SharedArray.withLock': caseOf(
    () => new mp.Array('i', 1),
    (array) => array.withLock(() => undefined),
  ),
  'Barrier.wait': caseOf(
    () => new mp.Barrier(1),
    (barrier) => barrier.wait(),
  ),
  'Barrier.reset': caseOf(
    () => new mp.Barrier(1),
    (barrier) => barrier.reset(),
  ),
  'Barrier.abort': caseOf(
    () => new mp.Barrier(1),
    (barrier) => barrier.abort(),
  ),
  'Listener.accept': caseOf(
    () => new mp.Listener(),
    (listener) => listener.accept({ timeout: 0 }),
  ),
  'Listener.asyncIterator': () => {
    const listener = new mp.Listener();
    listener.close();
    return { step: () => listener[Symbol.asyncIterator]().next(), close: () => undefined };
  },
  'Listener.asyncDispose': caseOf(
    () => new mp.Listener(),
    (listener) => listener[Symbol.asyncDispose](),
  ),
};

const functions: Record<string, Step> = {
  'wait()': () => mp.wait([], 0),
  'wait() of what cannot be waited for': () => mp.wait(5 as never),
  'Client()': () => mp.Client('/no/such/socket'),
  'Client() with a wrong address': () => mp.Client(5 as never),
};

describe('A loop of awaits that are answered at once lets timers run, whatever it calls', function () {
  ownTmpdir();

  it('this page has a call of every asynchronous method and function', function () {
    const elsewhere = ['BaseProcess.join', 'ParentProcess.join'];
    expect([...Object.keys(cases), ...elsewhere].sort()).to.deep.equal(methods());
    expect(Object.keys(functions).filter((name) => /^\w+\(\)$/.test(name))).to.have.members(
      promisingFunctions('index').map((name) => `${name}()`),
    );
  });

  for (const [name, makers] of Object.entries(cases)) {
    [makers].flat().forEach((make, i) => {
      it(`${name}${i > 0 ? ` (${i + 1})` : ''}`, async function () {
        const { step, failing, close } = make();
        try {
          expect(await timersDuring(step, 3)).to.be.at.least(3);
          if (failing !== undefined) expect(await timersDuring(failing, 3), 'on a closed object').to.be.at.least(3);
        } finally {
          close();
        }
      });
    });
  }

  for (const [name, step] of Object.entries(functions)) {
    it(name, async function () {
      expect(await timersDuring(step, 3)).to.be.at.least(3);
    });
  }

  it('BaseProcess.join', async function () {
    const { child, connection } = startWith(targets.echo, []);
    expect(await timersDuring(() => child.join(0), 3)).to.be.at.least(3);
    connection.close();
    await child.join();
    expect(await timersDuring(() => child.join(), 3), 'after its end').to.be.at.least(3);
    const unstarted = processOf(targets.nothing, []);
    expect(await timersDuring(() => unstarted.join(), 3), 'before its start').to.be.at.least(3);
  });

  it('ParentProcess.join', async function () {
    const { child, connection } = startWith(targets.joinParentInLoop, []);
    expect(await connection.recv()).to.be.at.least(3);
    await child.join();
  });

  it('a producer that tries again, and a consumer on the same thread', async function () {
    // Regression: the consumer's timer never came to its turn.
    const queue = new mp.Queue<number>(1);
    const got: number[] = [];
    const consumer = (async () => {
      for (let i = 0; i < 3; i++) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        got.push(await queue.get());
      }
    })();
    for (let i = 0; i < 3; i++) {
      for (let accepted = false; !accepted;) {
        accepted = await queue.put(i, { block: false }).then(
          () => true,
          (error: unknown) => {
            if (error instanceof mp.Full) return false;
            throw error;
          },
        );
      }
    }
    await consumer;
    expect(got).to.deep.equal([0, 1, 2]);
    queue.close();
  });
});
