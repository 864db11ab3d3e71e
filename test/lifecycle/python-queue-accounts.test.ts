// SPDX-License-Identifier: MIT
//
// The slots and the unfinished items of a queue add up although Python members were killed. Those that live look after
// that, also without any call of a Node member.
import { join } from 'node:path';

import { expect } from 'chai';
import { JoinableQueue, Pipe, PythonProcess, Queue, type Connection } from 'node-multiprocessing';

import { edgePythons, foreignEnv, packageRoot, rejects, track, type Python } from '../helpers/index.js';
import { untilAsleep, untilWorkersAsleep } from './support/programs.js';

/** More than a pipe holds. */
const LARGE = 300_000;

for (const python of edgePythons()) {
  describe(`The accounts of a queue with Python members (Python ${python.version})`, () => {
    const running: PythonProcess[] = [];
    let queue: Queue;

    afterEach(async () => {
      for (const child of running.splice(0)) await kill(child);
      queue.cancelJoinThread();
      queue.close();
    });

    function start(target: string, ...rest: unknown[]): { child: PythonProcess; conn: Connection } {
      const started = startWith(python, target, queue, rest);
      running.push(started.child);
      return started;
    }

    async function end(child: PythonProcess): Promise<void> {
      running.splice(running.indexOf(child), 1);
      await kill(child);
    }

    for (const maxsize of [1, 3]) {
      // Regression: what killed producers had taken was missing until a Node member waited for a slot. Without one, all
      // members waited for ever.
      it(`has all slots for Python members alone when producers were killed (maxsize ${maxsize})`, async () => {
        queue = new Queue({ maxsize, serialization: 'pickle' });
        // These wait for slots, and then for items.
        const waiting = start('recorded:put_all', LARGE).conn;
        const consumer = start('recorded:get_all').conn;
        await consumer.recv();
        for (let round = 0; round < 3; round++) {
          const { child } = start('recorded:put_all', LARGE);
          await consumer.recv();
          await end(child);
        }
        for (let round = 0; round < 2; round++) {
          await consumer.recv();
          await waiting.recv();
        }
      });
    }

    it('gets behind an item whose writer was killed while all others wait for slots', async () => {
      // Regression: a Python reader inside of an item waited for a writer to come that sees that the other one has died.
      queue = new Queue({ maxsize: 1, serialization: 'pickle' });
      const { child } = start('recorded:put_all', LARGE);
      await untilWorkersAsleep(child.pid!, 'poll');
      const other = start('recorded:put_all', LARGE);
      await untilAsleep(other.child.pid!, 'futex');
      await end(child);
      const consumer = start('recorded:get_all').conn;
      for (const conn of [consumer, other.conn]) await conn.recv();
    });

    it('has no items that only killed members could finish, for join() in Python', async () => {
      queue = new JoinableQueue({ serialization: 'pickle' });
      const { conn } = start('recorded:put_and_join', 5);
      expect(await conn.recv()).to.equal('put');
      // Two items are in the hands of this one.
      const taker = start('recorded:take', 2);
      expect(await taker.conn.recv()).to.equal('taken');
      start('recorded:process_all');
      await end(taker.child);
      expect(await conn.recv()).to.equal('joined');
    });

    it('has no items that only killed members could finish, for join() in Node', async () => {
      queue = new JoinableQueue({ maxsize: 20, serialization: 'pickle' });
      const joinable = queue as JoinableQueue;
      for (let i = 0; i < 5; i++) await queue.put(i);
      const taker = start('recorded:take', 2);
      expect(await taker.conn.recv()).to.equal('taken');
      await end(taker.child);
      for (let i = 2; i < 5; i++) {
        expect(await queue.get()).to.equal(i);
        await joinable.taskDone();
      }
      await joinable.join();
      expect(queue.stats()).to.include({ put: 5, got: 5, lost: 2, depth: 0 });
    });

    it('counts what a killed producer had accepted and not written, and what it was writing', async () => {
      queue = new JoinableQueue({ serialization: 'pickle' });
      const joinable = queue as JoinableQueue;
      const { child, conn } = start('recorded:put_and_join', 3, LARGE);
      expect(await conn.recv()).to.equal('put');
      await untilWorkersAsleep(child.pid!, 'poll');
      await end(child);
      await rejects(queue.get({ timeout: 1000 }), { code: 'ERR_MP_EMPTY' });
      await joinable.join();
      expect(queue.stats()).to.include({ lost: 3, depth: 0 });
    });

    it('has the unfinished items of a consumer that ended by itself, which another member may finish', async () => {
      queue = new JoinableQueue({ serialization: 'pickle' });
      const joinable = queue as JoinableQueue;
      await queue.put('an item');
      const taker = start('recorded:take', 1);
      expect(await taker.conn.recv()).to.equal('taken');
      await taker.conn.send('end');
      await taker.child.join();
      await rejects(joinable.join({ timeout: 1500 }), { code: 'ERR_MP_TIMEOUT' });
      await joinable.taskDone();
      await joinable.join();
      expect(queue.stats().lost).to.equal(0);
    });

    // Regression: the process went on with the records of its parent, and said there what it had got.
    it('counts what a process has that was forked when there was no room for its records', async () => {
      queue = new JoinableQueue({ serialization: 'pickle' });
      for (let i = 0; i < 2; i++) await queue.put(i);
      const { child, conn } = start('recorded:fork_without_room');
      expect(await conn.recv()).to.equal('ended');
      expect(queue.stats()).to.include({ got: 2, lost: 1 });
      await conn.send('go on');
      await child.join();
      await (queue as JoinableQueue).join();
      expect(queue.stats().lost).to.equal(1);
    });

    it('counts an item that a Python member finishes for another one', async () => {
      queue = new JoinableQueue({ serialization: 'pickle' });
      const joinable = queue as JoinableQueue;
      await queue.put('an item');
      expect(await queue.get()).to.equal('an item');
      await start('recorded:finish', 1).child.join();
      await joinable.join();
      await rejects(joinable.taskDone(), { code: 'ERR_MP_TASK_DONE' });
      expect(queue.stats().lost).to.equal(0);
    });
  });
}

function startWith(
  python: Python,
  target: string,
  queue: Queue,
  rest: unknown[],
): { child: PythonProcess; conn: Connection } {
  const [conn, theirs] = Pipe(true, { serialization: 'pickle' });
  track(conn);
  const pythonPath = join(packageRoot, 'test', 'peers');
  const args = [queue, theirs, ...rest];
  const child = new PythonProcess({ target, args, python: python.path, pythonPath, env: foreignEnv() });
  child.start();
  theirs.close();
  return { child, conn };
}

async function kill(child: PythonProcess): Promise<void> {
  child.kill();
  await child.join().catch(() => undefined);
  child.close();
}
