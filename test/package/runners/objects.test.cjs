// SPDX-License-Identifier: MIT
//
// The same for Jest as it is without options: CommonJS, in a context of its own.
const assert = require('node:assert/strict');
const path = require('node:path');
const mp = require('node-multiprocessing');

test('a queue and a child', async () => {
  const queue = new mp.JoinableQueue();
  const child = new mp.Process({ module: path.join(__dirname, 'child.mjs'), target: 'putKind', args: [queue] });
  child.start();
  assert.equal(await queue.get(), 'JoinableQueue');
  await queue.taskDone();
  assert.equal(await child.join(), true);
  queue.close();
});

test('objects are compared by the runner', () => {
  const [a, b] = mp.Pipe();
  const lock = new mp.Lock();
  expect({ a, lock }).toEqual({ a, lock });
  expect({ ...a }).toBeDefined();
  for (const object of [a, b, lock]) object.close();
});

test('values of this context arrive', async () => {
  const [a, b] = mp.Pipe();
  a.send({ map: new Map([[1, new Set(['x'])]]), bytes: new Uint8Array([1, 2]), buffer: new ArrayBuffer(3) });
  const { map, bytes, buffer } = await b.recv();
  expect([...map.get(1), ...bytes, buffer.byteLength]).toEqual(['x', 1, 2, 3]);
  a.close();
  b.close();
});

test('mistakes have their errors', () => {
  expect(() => new mp.Queue({ maxSize: 2 })).toThrow(/maxsize/);
  expect(() => new mp.Process({ module: './w.mjs', target: 'f' })).toThrow(/import\.meta\.resolve/);
  expect(() => JSON.stringify({ queue: new mp.Queue() })).toThrow(/Process/);
});

test('the package is one, whatever the runner forgets', async () => {
  jest.resetModules();
  const [a, b] = mp.Pipe(false, { serialization: 'pickle' });
  const lock = new mp.Lock();
  const again = mp.attach(mp.describe(lock));
  expect(again).toBeInstanceOf(mp.Lock);
  b.send(mp.tuple(1, 2));
  expect(await a.recv()).toEqual([1, 2]);
  expect(mp.pickle.loads(mp.pickle.dumps(mp.tuple(1, 2)))).toEqual([1, 2]);
  for (const object of [a, b, lock, again]) object.close();
});
