// SPDX-License-Identifier: MIT
//
// Connections in the items of queues of pickles. Regression: put() accepted them, Python got them, and get() of Node lost the
// whole item.
import { join } from 'node:path';

import { expect } from 'chai';
import { JoinableQueue, Pipe, PythonProcess, Queue, SimpleQueue, type Connection } from 'node-multiprocessing';

import { edgePythons, foreignEnv, packageRoot, rejects, throws, track, turns } from '../helpers/index.js';

const peers = join(packageRoot, 'test', 'peers');

interface Item {
  readonly question: number;
  readonly reply: Connection;
}

const ways: Readonly<Record<string, (queue: Queue<Item>) => Item | Promise<Item>>> = {
  get: (queue) => queue.get(),
  getSync: (queue) => queue.getSync(),
  async getNowait(queue) {
    for (;;) {
      try {
        return queue.getNowait();
      } catch (error) {
        expect((error as { code: string }).code).to.equal('ERR_MP_EMPTY');
        await turns();
      }
    }
  },
};

function start(python: string, target: string, queue: object, stderr: 'inherit' | 'ignore' = 'inherit'): PythonProcess {
  const stdio = ['ignore', 'inherit', stderr] as const;
  const child = new PythonProcess({
    target,
    args: [queue],
    python,
    pythonPath: peers,
    env: foreignEnv(),
    stdio: [...stdio],
  });
  child.start();
  return child;
}

describe('A Connection in an item of a queue of pickles', function () {
  for (const Class of [Queue, SimpleQueue, JoinableQueue]) {
    it(`arrives within Node (${Class.name})`, async () => {
      const queue = new Class<Item | string>({ serialization: 'pickle' });
      const [reader, writer] = Pipe(false, { serialization: 'pickle' });
      track(reader);
      const got = [queue.get(), queue.get()];
      await queue.put({ question: 1, reply: writer });
      await queue.put('next');
      writer.close();
      const [item, next] = (await Promise.all(got)) as [Item, string];
      expect([item.question, next]).to.deep.equal([1, 'next']);
      await track(item.reply).send('answer');
      expect(await reader.recv()).to.equal('answer');
      queue.close();
    });
  }

  it('waits for the next call if getNowait() finds it on its way, and close() gives it up', async () => {
    const queue = new Queue<Item | string>({ serialization: 'pickle' });
    const [reader, writer] = Pipe(false, { serialization: 'pickle' });
    track(reader);
    for (let i = 0; i < 2; i++) await queue.put({ question: i, reply: writer });
    await queue.put('next');
    writer.close();
    throws(() => queue.getNowait(), { code: 'ERR_MP_EMPTY' });
    expect(queue.empty()).to.equal(false);
    throws(() => queue.getSync(), { code: 'ERR_MP_BUSY' });
    const first = (await queue.get()) as Item;
    expect(first.question).to.equal(0);
    first.reply.close();
    throws(() => queue.getNowait(), { code: 'ERR_MP_EMPTY' });
    queue.close();
    await rejects(reader.recv(), { code: 'ERR_MP_EOF' });
  });

  it('is alone in a batch, in its place among the items', async () => {
    const queue = new Queue<Item | number>({ serialization: 'pickle' });
    const [reader, writer] = Pipe(false, { serialization: 'pickle' });
    track(reader);
    for (const item of [1, 2, { question: 3, reply: writer }, 4]) await queue.put(item);
    for (const item of [5, { question: 5, reply: writer }]) await queue.put(item);
    expect(await queue.getMany()).to.deep.equal([1, 2]);
    const [item, ...none] = (await queue.getMany()) as Item[];
    expect([item?.question, none]).to.deep.equal([3, []]);
    await track((item as Item).reply).send('answer');
    expect(await reader.recv()).to.equal('answer');
    expect(await queue.getMany()).to.deep.equal([4, 5]);
    item?.reply.close();
    writer.close();
    const last = (await queue.get()) as Item;
    expect(last.question).to.equal(5);
    last.reply.close();
    await rejects(reader.recv(), { code: 'ERR_MP_EOF' });
    queue.close();
  });

  for (const { version, path } of edgePythons()) {
    for (const [name, get] of Object.entries(ways)) {
      it(`arrives from Python (Python ${version}, ${name})`, async () => {
        const queue = new Queue<Item>({ serialization: 'pickle' });
        const child = start(path, 'queue_connections:ask', queue);
        const { question, reply } = await get(queue);
        expect(question).to.equal(1);
        await track(reply).send(42);
        expect(await child.join()).to.equal(true);
        queue.close();
      });
    }

    // Regression: neither a time limit nor a signal ended a get that had an item whose sender was slow.
    it(`whose sender is stopped ends no call late, and stays for the next one (Python ${version})`, async () => {
      const queue = new Queue<Item>({ serialization: 'pickle' });
      // Python's sharer prints that a collector has gone.
      const child = start(path, 'queue_connections:ask', queue, 'ignore');
      while (queue.empty()) await turns();
      process.kill(child.pid as number, 'SIGSTOP');
      throws(() => queue.getSync({ timeout: 1 }), { code: 'ERR_MP_EMPTY' });
      throws(() => queue.getManySync(2, { timeout: 1 }), { code: 'ERR_MP_EMPTY' });
      const begun = performance.now();
      await rejects(queue.get({ timeout: 1 }), { code: 'ERR_MP_EMPTY' });
      await rejects(queue.getMany(2, { timeout: 1 }), { code: 'ERR_MP_EMPTY' });
      await rejects(queue.get({ block: false }), { code: 'ERR_MP_EMPTY' });
      const controller = new AbortController();
      const aborted = rejects(queue.get({ signal: controller.signal }), { code: 'ABORT_ERR' });
      const iterator = queue[Symbol.asyncIterator]();
      const next = iterator.next();
      await turns();
      controller.abort();
      await aborted;
      await turns();
      await iterator.return(undefined);
      expect(await next).to.deep.equal({ done: true, value: undefined });
      const get = queue.get();
      process.kill(child.pid as number, 'SIGCONT');
      const { question, reply } = await get;
      expect(question, `after ${performance.now() - begun} ms`).to.equal(1);
      await track(reply).send(42);
      expect(await child.join()).to.equal(true);
      queue.close();
    });

    it(`arrives in Python (Python ${version})`, async () => {
      const queue = new Queue<Item>({ serialization: 'pickle' });
      const child = start(path, 'queue_connections:answer', queue);
      const [reader, reply] = Pipe(false, { serialization: 'pickle' });
      track(reader);
      await queue.put({ question: 1, reply });
      reply.close();
      expect(await reader.recv()).to.equal(42);
      expect(await child.join()).to.equal(true);
      queue.close();
    });

    it(`of a process that has ended is an error of its get, and the queue goes on (Python ${version})`, async () => {
      const queue = new Queue<Item | string>({ serialization: 'pickle' });
      const child = start(path, 'queue_connections:leave', queue);
      expect(await child.join()).to.equal(true);
      await rejects(queue.get(), { code: 'ERR_MP_UNPICKLING' });
      expect(await queue.get()).to.equal('next');
      queue.close();
    });
  }
});
