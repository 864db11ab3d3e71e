// SPDX-License-Identifier: MIT
//
// Queues that Node has made, with a C program on the other side.
import { expect } from 'chai';
import {
  attach,
  describe as describeObject,
  JoinableQueue,
  type Lock,
  Queue,
  SimpleQueue,
  type QueueDescriptor,
} from 'node-multiprocessing';

import { cPeer, pattern, rejects, spawnPeer, type Peer } from '../helpers/index.js';
import { queueWords } from '../helpers/queue-words.js';

const SIZES = [0, 1, 4092, 4096, 16385, 1 << 20];
const serialization = {
  serialize: (bytes: Buffer): Buffer => bytes,
  deserialize: (bytes: Uint8Array): Buffer => Buffer.from(bytes),
};
const stop = Buffer.from('stop');

type AnyQueue = Queue<Buffer> | SimpleQueue<Buffer>;

const parts = (queue: AnyQueue): QueueDescriptor => describeObject(queue) as QueueDescriptor;

/** Starts test/peers/queue_worker.c with queues of this process. */
async function startWorker(mode: string, queues: readonly AnyQueue[], ...args: readonly string[]): Promise<Peer> {
  const fds: number[] = [];
  const words = queues.map((queue) => queueWords(parts(queue), fds));
  const peer = spawnPeer(cPeer('queue_worker'), { fds, args: [mode, ...words, ...args] });
  expect(await peer.line()).to.equal('ready');
  return peer;
}

async function killed(peer: Peer): Promise<void> {
  peer.kill();
  expect((await peer.exit).signal).to.equal('SIGKILL');
}

describe('A queue of Node that is shared with a C program', function () {
  const queues: AnyQueue[] = [];
  function make<T extends AnyQueue>(queue: T): T {
    queues.push(queue);
    return queue;
  }
  afterEach(() => {
    for (const queue of queues.splice(0)) queue.close();
  });

  for (const maxsize of [0, 1, 3]) {
    it(`carries bytes of every size in both directions (maxsize ${maxsize})`, async function () {
      const jobs = make(new Queue<Buffer>({ maxsize, serialization }));
      const results = make(new Queue<Buffer>({ maxsize, serialization }));
      const peer = await startWorker('echo', [jobs, results]);
      for (const size of SIZES) {
        await jobs.put(pattern(size, size));
        expect((await results.get()).equals(pattern(size, size))).to.equal(true);
        jobs.putSync(pattern(size, 1));
        expect(results.getSync().equals(pattern(size, 1))).to.equal(true);
      }
      await jobs.put(stop);
      expect(await peer.succeeded()).to.contain('0 signals');
      expect([jobs.qsize(), results.qsize()]).to.deep.equal([0, 0]);
    });
  }

  it('keeps the order when both pipes are full, under signals', async function () {
    const jobs = make(new Queue<Buffer>({ serialization }));
    const results = make(new Queue<Buffer>({ serialization }));
    const peer = await startWorker('echo', [jobs, results]);
    for (let i = 0; i < 60; i++) await jobs.put(pattern(5000 + i, i));
    for (let i = 0; i < 60; i++) {
      peer.kill('SIGUSR1');
      expect((await results.get()).equals(pattern(5000 + i, i))).to.equal(true);
    }
    await jobs.put(stop);
    const [, signals] = /(\d+) signals/.exec(await peer.succeeded()) ?? [];
    expect(Number(signals)).to.be.within(1, 60);
  });

  it('may be a SimpleQueue', async function () {
    const queue = make(new SimpleQueue<Buffer>({ serialization }));
    const peer = await startWorker('take', [queue]);
    await queue.put(Buffer.alloc(7));
    expect(await peer.line()).to.equal('7');
    await queue.put(stop);
    await peer.succeeded();
  });

  it('times out in C without an item to get, and without a free slot or the lock to put', async function () {
    const queue = make(new Queue<Buffer>({ maxsize: 1, serialization }));
    for (const part of ['places', 'wlock'] as const) {
      const taken = attach(parts(queue)[part]!);
      expect(await taken.acquire({ timeout: 0 })).to.equal(true);
      expect(await (await startWorker('timeouts', [queue])).succeeded()).to.equal('ready\nqueue empty\nqueue full\n');
      taken.release();
      taken.close();
      await queue.put(stop);
      expect(String(await queue.get())).to.equal('stop');
      expect(queue.qsize()).to.equal(0);
    }
  });

  it('counts the tasks that C has done, and wakes join()', async function () {
    const jobs = make(new JoinableQueue<Buffer>({ maxsize: 4, serialization }));
    const results = make(new JoinableQueue<Buffer>({ serialization }));
    const peer = await startWorker('echo', [jobs, results]);
    for (let i = 0; i < 30; i++) await jobs.put(pattern(i));
    await jobs.join();
    await jobs.put(stop);
    await jobs.join();
    expect(await peer.succeeded()).to.contain('task_done called too often');
    let joined = false;
    const join = results.join().then(() => (joined = true));
    for (let i = 0; i < 30; i++) {
      expect((await results.get()).length).to.equal(i);
      expect(joined).to.equal(false);
      await results.taskDone();
    }
    await join;
  });

  it('goes on when a C program that waits for an item is killed', async function () {
    const queue = make(new Queue<Buffer>({ serialization }));
    for (let i = 0; i < 5; i++) {
      await killed(await startWorker('take', [queue]));
      await queue.put(pattern(10, i));
      expect((await queue.get()).equals(pattern(10, i))).to.equal(true);
    }
  });

  it('goes on when a C program that waits for room is killed', async function () {
    const queue = make(new Queue<Buffer>({ serialization }));
    // Sixteen messages of 4096 bytes fill the pipe. The process with the next slot waits for room, without the lock.
    const peer = await startWorker('put', [queue], '17', '4084');
    while (queue.qsize() < 17) await new Promise((resolve) => setImmediate(resolve));
    await killed(peer);
    for (let i = 0; i < 16; i++) expect((await queue.get()).length).to.equal(4092);
    await queue.put(stop);
    expect(String(await queue.get())).to.equal('stop');
    // The slot of the killed process is lost.
    expect(queue.qsize()).to.equal(1);
  });

  it('waits for the lock of a killed C program until that is released by force', async function () {
    const queue = make(new Queue<Buffer>({ serialization }));
    const peer = await startWorker('hold', [queue]);
    expect(await peer.line()).to.equal('holding');
    await killed(peer);
    await queue.put(stop);
    await rejects(queue.get({ timeout: 20 }), { code: 'ERR_MP_EMPTY' });
    const lock = attach(parts(queue).rlock);
    expect((lock as Lock).recover({ force: true })).to.equal(true);
    lock.close();
    expect(String(await queue.get())).to.equal('stop');
  });

  it('gives every item once to getters in Node and C', async function () {
    const jobs = make(new Queue<Buffer>({ maxsize: 5, serialization }));
    const results = make(new Queue<Buffer>({ serialization }));
    const peers = [await startWorker('echo', [jobs, results]), await startWorker('echo', [jobs, results])];
    const count = 300;
    const seen: number[] = [];
    const note = (item: Buffer): number => seen.push(item.readUInt32LE(4));
    // Longer than the message "stop".
    const item = (i: number): Buffer => {
      const bytes = Buffer.alloc(40 + ((i * 37) % 5000));
      bytes.writeUInt32LE(i, 4);
      return bytes;
    };
    const collect = async (queue: Queue<Buffer>): Promise<void> => {
      for (;;) {
        const next = await queue.get();
        if (next.equals(stop)) return;
        note(next);
      }
    };
    const own = collect(jobs);
    const others = collect(results);
    for (let i = 0; i < count; i++) await jobs.put(item(i));
    for (let i = 0; i < 3; i++) await jobs.put(stop);
    await own;
    for (const peer of peers) await peer.succeeded();
    await results.put(stop);
    await others;
    expect(seen.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: count }, (_, i) => i));
  });
});
