// SPDX-License-Identifier: MIT
//
// A test as a user writes it, for node:test, Jest with vm modules, and Vitest (scripts/package/matrix.mjs).
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import all, * as mp from 'node-multiprocessing';

const test = globalThis.test ?? (await import('node:test')).test;

test('a queue and a child', async () => {
  const queue = new mp.JoinableQueue();
  const module = fileURLToPath(new URL('./child.mjs', import.meta.url));
  const child = new mp.Process({ module, target: 'putKind', args: [queue] });
  child.start();
  assert.equal(await queue.get(), 'JoinableQueue');
  await queue.taskDone();
  assert.equal(await child.join(), true);
  queue.close();
});

test('objects are compared and copied', () => {
  const [a, b] = mp.Pipe();
  const lock = new mp.Lock();
  assert.deepStrictEqual({ a, lock }, { a, lock });
  assert.notDeepStrictEqual({ a }, { a: lock });
  assert.ok({ ...a });
  assert.ok(lock instanceof all.Lock);
  for (const object of [a, b, lock]) object.close();
});

test('values of this realm arrive', async () => {
  const [a, b] = mp.Pipe();
  const value = {
    map: new Map([[1, { deep: [1n] }]]),
    set: new Set(['x']),
    bytes: new Uint8Array([1, 2]),
    at: new Date(5),
  };
  a.send(value);
  const received = await b.recv();
  assert.equal(received.map.get(1).deep[0], 1n);
  assert.deepEqual([...received.set, ...received.bytes, +received.at], ['x', 1, 2, 5]);
  a.close();
  b.close();
});

test('mistakes have their errors', () => {
  const code = (body) => {
    try {
      body();
    } catch (error) {
      return error.code;
    }
    return undefined;
  };
  assert.equal(
    code(() => new mp.Queue({ maxSize: 2 })),
    'ERR_INVALID_ARG_TYPE',
  );
  assert.equal(
    code(() => new mp.Process({ module: './w.mjs', target: 'f' })),
    'ERR_OUT_OF_RANGE',
  );
});
