// SPDX-License-Identifier: MIT
//
// An item that is longer than the queue's maxMessageBytes, which only members of other languages can put.
import { join } from 'node:path';

import { expect } from 'chai';
import { JoinableQueue, Pipe, PythonProcess, Queue, SimpleQueue } from 'node-multiprocessing';

import { edgePythons, foreignEnv, packageRoot, rejects, throws, track, turns } from '../helpers/index.js';

const MAX = 1000;
const TOO_LONG = { code: 'ERR_MP_BAD_MESSAGE_LENGTH' };
const options = { maxMessageBytes: MAX, serialization: 'pickle' } as const;
type AnyQueue = Queue<Uint8Array> | SimpleQueue<Uint8Array>;

// Regression: such an item broke the queue for all members.
for (const python of edgePythons()) {
  describe(`An item that is longer than maxMessageBytes (Python ${python.version})`, () => {
    let queue: AnyQueue;

    afterEach(() => {
      queue.close();
    });

    /** Resolves when a Python child has put items of these lengths, as far as it can. */
    async function put(...sizes: number[]): Promise<PythonProcess> {
      const [conn, theirs] = Pipe(true, { serialization: 'pickle' });
      track(conn);
      const pythonPath = join(packageRoot, 'test', 'peers');
      const args = [queue, theirs, sizes];
      const child = new PythonProcess({
        target: 'recorded:put_sizes',
        args,
        python: python.path,
        pythonPath,
        env: foreignEnv(),
      });
      child.start();
      theirs.close();
      expect(await conn.recv()).to.equal('started');
      return child;
    }

    async function end(child: PythonProcess): Promise<void> {
      await child.join();
      child.close();
    }

    // The long ones fit into one read, into the pipe, and into neither.
    for (const size of [2000, 30_000, 300_000]) {
      it(`makes one get fail, and the next one goes on (${size} bytes)`, async () => {
        const limited = new Queue<Uint8Array>({ ...options, maxsize: 2 });
        queue = limited;
        const child = await put(10, size, size, 20);
        expect(await queue.get()).to.have.length(10);
        const error = (await rejects(queue.get(), TOO_LONG)) as Error & { length: number };
        expect(error.length).to.be.above(size);
        expect(error.message).to.include(String(MAX));
        await rejects(queue.get(), TOO_LONG);
        expect(await queue.get()).to.have.length(20);
        await end(child);
        expect([limited.qsize(), limited.stats()]).to.deep.equal([
          0,
          { put: 4, got: 2, lost: 2, recoveries: 0, depth: 0 },
        ]);
        // All slots are free.
        for (let i = 0; i < 2; i++) limited.putNowait(Buffer.alloc(1));
        for (let i = 0; i < 2; i++) expect(await limited.get()).to.have.length(1);
      });

      it(`makes one call of each kind fail (${size} bytes)`, async () => {
        const plain = new Queue<Uint8Array>(options);
        queue = plain;
        const child = await put(size, 10, size, 20);
        throws(() => plain.getSync(), TOO_LONG);
        expect(plain.getSync()).to.have.length(10);
        // The item comes in parts, of which each call takes what is there.
        for (;;) {
          try {
            plain.getNowait();
          } catch (error) {
            if ((error as { code: string }).code === TOO_LONG.code) break;
            expect(error).to.have.property('code', 'ERR_MP_EMPTY');
            await turns(1);
          }
        }
        expect(await plain.get()).to.have.length(20);
        await end(child);
      });
    }

    it('fails one of several calls that wait', async () => {
      queue = new Queue<Uint8Array>(options);
      const calls = [queue.get(), rejects(queue.get(), TOO_LONG), queue.get()];
      const child = await put(10, 300_000, 20);
      const [first, , third] = await Promise.all(calls);
      expect([first, third].map((item) => (item as Uint8Array).length)).to.deep.equal([10, 20]);
      await end(child);
    });

    it('ends an iteration, after which another one goes on', async () => {
      queue = new Queue<Uint8Array>(options);
      const child = await put(10, 300_000, 20, 30);
      const seen: number[] = [];
      const iterate = async (): Promise<void> => {
        for await (const item of queue) if (seen.push(item.length) === 3) break;
      };
      await rejects(iterate(), TOO_LONG);
      await iterate();
      expect(seen).to.deep.equal([10, 20, 30]);
      await end(child);
    });

    it('is skipped by a SimpleQueue', async () => {
      queue = new SimpleQueue<Uint8Array>(options);
      const child = await put(300_000, 10);
      await rejects(queue.get(), TOO_LONG);
      expect(await queue.get()).to.have.length(10);
      await end(child);
    });

    it('counts as finished in a JoinableQueue', async () => {
      const joinable = new JoinableQueue<Uint8Array>({ ...options, maxsize: 1 });
      queue = joinable;
      const child = await put(300_000, 10);
      await rejects(queue.get(), TOO_LONG);
      expect(await queue.get()).to.have.length(10);
      await rejects(joinable.join({ timeout: 0 }), { code: 'ERR_MP_TIMEOUT' });
      await joinable.taskDone();
      await joinable.join();
      await end(child);
    });

    it('is kept as a failure for the next call if the call before has given up', async () => {
      queue = new Queue<Uint8Array>(options);
      const gaveUp = new AbortController();
      const call = rejects(queue.get({ signal: gaveUp.signal }), { code: 'ABORT_ERR' });
      const child = await put(2_000_000, 10);
      gaveUp.abort();
      await call;
      await rejects(queue.get(), TOO_LONG);
      expect(await queue.get()).to.have.length(10);
      await end(child);
    });
  });
}
