// SPDX-License-Identifier: MIT
//
// Both sides of a conversation about every kind of shared object; test/peers/sharing.py is the same in Python. `first`
// begins and `second` answers. Each step of one side waits for the step of the other side, over `conn` or the object
// itself.
import { isDeepStrictEqual } from 'node:util';

import {
  BoundedSemaphore,
  Condition,
  Event,
  JoinableQueue,
  Lock,
  Queue,
  RLock,
  Semaphore,
  SimpleQueue,
  type Connection,
} from 'node-multiprocessing';

const TIMEOUT = { timeout: 60_000 };

/** Every kind of object, in the order of the conversation. */
export const objectNames = [
  'Connection',
  'Lock',
  'RLock',
  'Semaphore',
  'BoundedSemaphore',
  'Condition',
  'Event',
  'SimpleQueue',
  'Queue',
  'JoinableQueue',
] as const;
export type ObjectName = (typeof objectNames)[number];

export interface SharedObjects {
  readonly Connection: Connection;
  readonly Lock: Lock;
  readonly RLock: RLock;
  readonly Semaphore: Semaphore;
  readonly BoundedSemaphore: BoundedSemaphore;
  readonly Condition: Condition;
  readonly Event: Event;
  readonly SimpleQueue: SimpleQueue;
  readonly Queue: Queue;
  readonly JoinableQueue: JoinableQueue;
}

function same(found: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(found, expected)) {
    throw new Error(`Expected ${JSON.stringify(expected)}, not ${JSON.stringify(found)}`);
  }
}

async function told(conn: Connection, expected: unknown): Promise<void> {
  same(await conn.recv(TIMEOUT), expected);
}

/** A new object of each kind. The Condition has the RLock as its lock. */
export function makeObjects(connection: Connection): SharedObjects {
  const lock = new RLock();
  return {
    Connection: connection,
    Lock: new Lock(),
    RLock: lock,
    Semaphore: new Semaphore(1),
    BoundedSemaphore: new BoundedSemaphore(1),
    Condition: new Condition(lock),
    Event: new Event(),
    SimpleQueue: new SimpleQueue(),
    Queue: new Queue(3),
    JoinableQueue: new JoinableQueue(),
  };
}

type AnyQueue = Pick<Queue, 'put' | 'get'>;
type AnyLock = Lock | RLock | Semaphore | BoundedSemaphore;
type Sides = { readonly [N in ObjectName]: (conn: Connection, object: SharedObjects[N]) => Promise<void> };

async function firstAtLock(conn: Connection, lock: AnyLock): Promise<void> {
  same(await lock.acquire(TIMEOUT), true);
  await conn.send('taken');
  await told(conn, false);
  lock.release();
  await told(conn, 'taken');
  same(await lock.acquire({ block: false }), false);
  await conn.send('seen');
  await told(conn, 'released');
  same(await lock.acquire({ block: false }), true);
  lock.release();
}

async function secondAtLock(conn: Connection, lock: AnyLock, times = 1): Promise<void> {
  await told(conn, 'taken');
  await conn.send(await lock.acquire({ block: false }));
  for (let i = 0; i < times; i++) same(await lock.acquire(TIMEOUT), true);
  await conn.send('taken');
  await told(conn, 'seen');
  for (let i = 0; i < times; i++) lock.release();
  await conn.send('released');
}

async function firstAtQueue(conn: Connection, queue: AnyQueue, joinable?: JoinableQueue): Promise<void> {
  const items = ['text', { key: [1, null] }, Buffer.alloc(100_000, 'bytes')];
  for (const item of items) await queue.put(item);
  await told(conn, items);
  await joinable?.join(TIMEOUT);
  await conn.send('joined');
  for (const item of items) same(await queue.get(TIMEOUT), item);
  for (let i = 0; i < items.length; i++) await joinable?.taskDone();
}

async function secondAtQueue(conn: Connection, queue: AnyQueue, joinable?: JoinableQueue): Promise<void> {
  const items: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    items.push(await queue.get(TIMEOUT));
    await joinable?.taskDone();
  }
  await conn.send(items);
  await told(conn, 'joined');
  for (const item of items) await queue.put(item);
}

/** What the first side does with each object. */
export const first: Sides = {
  async Connection(_, other) {
    await other.send({ over: 'another' });
    await told(other, { over: 'another' });
  },
  Lock: firstAtLock,
  RLock: firstAtLock,
  Semaphore: firstAtLock,
  async BoundedSemaphore(conn, lock) {
    await firstAtLock(conn, lock);
    await told(conn, 'refused');
  },
  async Condition(conn, condition) {
    await told(conn, 'waiting');
    await condition.withLock(() => condition.notify());
    await told(conn, true);
    await condition.withLock(async () => {
      await conn.send('waiting');
      same(await condition.wait(TIMEOUT), true);
    });
  },
  async Event(conn, event) {
    await event.set();
    await told(conn, true);
    await told(conn, false);
    same(await event.isSet(), false);
    await conn.send('cleared');
    same(await event.wait(TIMEOUT), true);
  },
  SimpleQueue: firstAtQueue,
  Queue: (conn, queue) => firstAtQueue(conn, queue),
  async JoinableQueue(conn, queue) {
    await firstAtQueue(conn, queue, queue);
    await told(conn, 'joined');
  },
};

const answers: Sides = {
  async Connection(_, other) {
    await other.send(await other.recv(TIMEOUT));
  },
  Lock: secondAtLock,
  RLock: (conn, lock) => secondAtLock(conn, lock, 2),
  Semaphore: secondAtLock,
  async BoundedSemaphore(conn, lock) {
    await secondAtLock(conn, lock);
    try {
      lock.release();
    } catch {
      await conn.send('refused');
    }
  },
  async Condition(conn, condition) {
    let woken = false;
    await condition.withLock(async () => {
      await conn.send('waiting');
      woken = await condition.wait(TIMEOUT);
    });
    await conn.send(woken);
    await told(conn, 'waiting');
    await condition.withLock(() => condition.notify());
  },
  async Event(conn, event) {
    await conn.send(await event.wait(TIMEOUT));
    await event.clear();
    await conn.send(await event.isSet());
    await told(conn, 'cleared');
    await event.set();
  },
  SimpleQueue: secondAtQueue,
  Queue: (conn, queue) => secondAtQueue(conn, queue),
  async JoinableQueue(conn, queue) {
    await secondAtQueue(conn, queue, queue);
    await queue.join(TIMEOUT);
    await conn.send('joined');
  },
};

const classes: { readonly [N in ObjectName]?: abstract new (...args: never[]) => unknown } = {
  Lock,
  RLock,
  Semaphore,
  BoundedSemaphore,
  Condition,
  Event,
  SimpleQueue,
  Queue,
  JoinableQueue,
};

/** The function that a Python parent runs. The parent is the first side. */
export async function second(conn: Connection, objects: SharedObjects): Promise<void> {
  // The same object twice is one object.
  same((objects.Condition as unknown as { lock: unknown }).lock === objects.RLock, true);
  await secondOfEach(conn, objects);
}

/** The same for objects that have come one by one. */
export async function secondOfEach(conn: Connection, objects: SharedObjects): Promise<void> {
  for (const [name, Class] of Object.entries(classes)) {
    same(objects[name as ObjectName].constructor, Class);
  }
  await conn.send(Object.keys(objects));
  for (const name of objectNames) {
    await answers[name](conn, objects[name] as never);
    await conn.send(name);
  }
}
