// SPDX-License-Identifier: MIT
//
// refused-calls: uses every part of the package that makes a system call with an alternative. Prints "done".
// refused-calls <python> <folder of the modules>: the same with a Python process, which is under the same filter.
import { fileURLToPath } from 'node:url';

import {
  isMainProcess,
  JoinableQueue,
  Lock,
  Pipe,
  Process,
  PythonProcess,
  Queue,
  wait,
  type Connection,
} from 'node-multiprocessing';

export function quick(): void {}

export async function untilClosed(connection: Connection<never>): Promise<void> {
  await connection.recv().catch(() => undefined);
}

export function tidying(connection: Connection<string, never>): void {
  process.on('SIGTERM', () => {
    connection.sendSync('tidied up');
    process.exit(0);
  });
  connection.sendSync('ready');
  setInterval(() => undefined, 1000);
}

/** Talks with a Python process that runs refused_calls.talk. */
export async function talk(
  conn: Connection,
  requests: Queue<string>,
  replies: Queue<string>,
  lock: Lock,
): Promise<void> {
  for (const value of ['a message', 'x'.repeat(300_000)]) {
    const received = conn.recv();
    await conn.send(value);
    expectEqual(await received, value, 'recv');
    conn.sendSync(value);
    expectEqual(conn.recvSync(), value, 'recvSync');
    for (let i = 0; i < 3; i++) conn.sendSync('pass on');
    const got = replies.get();
    await requests.put(value);
    expectEqual(await got, value, 'get');
    requests.putSync(value);
    expectEqual(replies.getSync(), value, 'getSync');
    await requests.put(value);
    expectEqual((await replies.getMany(1))[0], value, 'getMany');
  }
  conn.sendSync('acquire');
  expectEqual(conn.recvSync(), true, 'acquire of Python');
  expectEqual(lock.acquireSync({ block: false }), false, 'acquireSync of a lock that Python holds');
  expectEqual(await lock.acquire({ timeout: 5 }), false, 'acquire of a lock that Python holds');
  const pending = lock.acquire();
  conn.sendSync('release');
  expectEqual(await pending, true, 'acquire');
  conn.sendSync('try');
  expectEqual(conn.recvSync(), false, 'acquire of Python of a lock that Node holds');
  conn.sendSync('acquire');
  lock.release();
  expectEqual(await conn.recv(), true, 'acquire of Python that waits');
  conn.sendSync('release');
  expectEqual(lock.acquireSync(), true, 'acquireSync');
  lock.release();
  conn.close();
}

async function talkWithPython(python: string, pythonPath: string): Promise<void> {
  const [ours, theirs] = Pipe();
  const [requests, replies] = [0, 0].map(() => new Queue<string>({ serialization: 'pickle' })) as [Queue, Queue];
  const lock = new Lock();
  const args = [theirs, requests, replies, lock];
  const child = new PythonProcess({ target: 'refused_calls:talk', args, python, pythonPath });
  child.start();
  theirs.close();
  await talk(ours, requests as Queue<string>, replies as Queue<string>, lock);
  expectEqual(await child.join(), true, 'join of Python');
  expectEqual(child.exitcode, 0, 'the exit code of Python');
  for (const object of [requests, replies, lock]) object.close();
}

function expectEqual(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)} instead of ${String(expected)}`);
}

const module = fileURLToPath(import.meta.url);

function start(): Process {
  const child = new Process({ module, target: quick });
  child.start();
  return child;
}

async function pipes(): Promise<void> {
  const large = 'x'.repeat(300_000);
  for (const duplex of [true, false]) {
    const [reader, writer] = duplex ? Pipe<string>() : Pipe<string>(false);
    for (const value of ['a message', large]) {
      const received = reader.recv();
      await writer.send(value);
      expectEqual(await received, value, 'recv');
    }
    writer.sendSync('a message');
    expectEqual(reader.recvSync(), 'a message', 'recvSync');
    expectEqual(await reader.poll(0), false, 'poll');
    writer.close();
    await reader.recv().then(
      () => Promise.reject(new Error('no end of data')),
      (error: unknown) => {
        expectEqual((error as { code: string }).code, 'ERR_MP_EOF', 'the end of data');
      },
    );
    reader.close();
  }
}

async function queues(): Promise<void> {
  for (const queue of [new Queue<string>(), new JoinableQueue<string>()]) {
    await queue.put('an item');
    expectEqual(await queue.get({ timeout: 10_000 }), 'an item', 'get');
    queue.putSync('an item');
    expectEqual(queue.getSync({ timeout: 10_000 }), 'an item', 'getSync');
    queue.close();
    await queue.joinThread();
  }
}

async function locks(): Promise<void> {
  const locks = [new Lock(), new Lock()];
  for (const lock of locks) lock.acquireSync();
  const pending = locks.map((lock) => lock.acquire({ timeout: 10_000 }));
  for (const lock of locks) lock.release();
  for (const acquired of pending) expectEqual(await acquired, true, 'acquire');
  expectEqual(locks[0]?.acquireSync({ timeout: 5 }), false, 'acquireSync');
  for (const lock of locks) lock.close();
}

async function children(): Promise<void> {
  expectEqual(await start().join(), true, 'join');
  expectEqual(start().joinSync(), true, 'joinSync');
  const waited = start();
  expectEqual((await wait([waited], 10_000))[0], waited, 'wait');
  expectEqual(waited.exitcode, 0, 'exitcode');
  const [kept, given] = Pipe<never>();
  const running = new Process({ module, target: untilClosed, args: [given] });
  running.start();
  given.close();
  expectEqual(running.sentinel > 2, true, 'sentinel');
  // Each looks at the child anew.
  for (let i = 0; i < 5; i++) expectEqual(running.joinSync(2), false, 'joinSync of a running child');
  expectEqual((await wait([running], 0)).length, 0, 'wait for a running child');
  kept.close();
  expectEqual(running.joinSync(10_000), true, 'joinSync of a child that ends');
}

async function daemon(): Promise<void> {
  const [ours, theirs] = Pipe<never, string>();
  const child = new Process({ module, target: tidying, args: [theirs], daemon: true });
  child.start();
  theirs.close();
  expectEqual(await ours.recv(), 'ready', 'the daemon');
  child.terminate();
  expectEqual(child.joinSync(10_000), true, 'joinSync of a daemon');
  expectEqual(ours.recvSync(), 'tidied up', 'the daemon');
}

if (isMainProcess) {
  const [, , python, pythonPath = ''] = process.argv;
  if (python !== undefined) {
    await talkWithPython(python, pythonPath);
  } else {
    await pipes();
    await queues();
    await locks();
    await children();
    await daemon();
  }
  console.log('done');
}
