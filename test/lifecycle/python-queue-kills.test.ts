// SPDX-License-Identifier: MIT
//
// Python members of a queue that are killed in the middle of an operation, or stopped. They keep the records that Node members
// keep, so the others go on: items of a killed member may be lost, but none of any other, and a living member keeps its lock.
import { join } from 'node:path';

import { expect } from 'chai';
import {
  describe as descriptorOf,
  NamedSemaphore,
  Pipe,
  PythonProcess,
  Queue,
  SimpleQueue,
  type Connection,
} from 'node-multiprocessing';

import type { QueueDescriptor } from '#lib/queues/queue-resources.js';

import { edgePythons, foreignEnv, packageRoot, rejects, track, type Python } from '../helpers/index.js';
import { sleepersOn, until } from './support/locks.js';
import { untilAsleep, untilWorkersAsleep } from './support/programs.js';

type AnyQueue = Queue | SimpleQueue;

interface Child {
  readonly child: PythonProcess;
  readonly conn: Connection;
}

/** Starts a Python child with a queue, and a Connection to it. */
function start(python: Python, target: string, queue: AnyQueue, ...rest: unknown[]): Child {
  const [conn, theirs] = Pipe(true, { serialization: 'pickle' });
  track(conn);
  const child = new PythonProcess({
    target,
    args: [queue, theirs, ...rest],
    python: python.path,
    pythonPath: join(packageRoot, 'test', 'peers'),
    env: foreignEnv(),
  });
  child.start();
  theirs.close();
  return { child, conn };
}

/** Starts a Python child that has a queue and does something else. */
function startOther(python: Python, target: string, queue: AnyQueue): PythonProcess {
  const pythonPath = join(packageRoot, 'test', 'peers');
  const child = new PythonProcess({ target, args: [queue], python: python.path, pythonPath, env: foreignEnv() });
  child.start();
  return child;
}

async function kill(child: PythonProcess): Promise<void> {
  child.kill();
  await child.join();
  expect(child.exitcode).to.equal(-9);
  child.close();
}

function queueDescriptor(queue: AnyQueue): QueueDescriptor {
  return descriptorOf(queue) as QueueDescriptor;
}

/** Whether an item is whole, and as it was put. */
function isWhole(item: unknown, size: number): boolean {
  if (!(item instanceof Uint8Array) || item.length !== size + 4) return false;
  const number = Buffer.from(item).readUInt32BE(0);
  return item.subarray(4).every((byte) => byte === number % 251);
}

for (const python of edgePythons()) {
  describe(`A Python member of a queue that is killed (Python ${python.version})`, () => {
    let queue: Queue;

    beforeEach(() => {
      queue = new Queue({ serialization: 'pickle' });
    });

    afterEach(() => {
      queue.cancelJoinThread();
      queue.close();
    });

    it('leaves the queue as it was if it waits for an item, for Node and Python', async () => {
      const { child } = start(python, 'children:get_one', queue);
      await untilAsleep(child.pid!, 'poll');
      const other = start(python, 'children:get_one', queue);
      // The second member waits for the lock that the first one has.
      await untilAsleep(other.child.pid!, 'futex');
      await kill(child);
      await queue.put('for the other one');
      expect(await other.conn.recv()).to.equal('for the other one');
      await untilAsleep(other.child.pid!, 'poll');
      await kill(other.child);
      await queue.put('for Node');
      expect(await queue.get()).to.equal('for Node');
    });

    // Regression: as long as another Python process computed or polled, nothing was released, and all calls waited for ever.
    for (const activity of ['spin', 'run_loop']) {
      it(`is recovered from although another Python process is busy (${activity})`, async () => {
        const busy = startOther(python, `recorded:${activity}`, queue);
        const { child } = start(python, 'children:get_one', queue);
        await untilAsleep(child.pid!, 'poll');
        await kill(child);
        await queue.put('an item');
        expect(await queue.get()).to.equal('an item');
        await kill(busy);
      });
    }

    it('changes nothing if it waits for the lock', async () => {
      const { child, conn } = start(python, 'children:get_one', queue);
      await untilAsleep(child.pid!, 'poll');
      const other = start(python, 'children:get_one', queue);
      await untilAsleep(other.child.pid!, 'futex');
      await kill(other.child);
      await queue.put('still served');
      expect(await conn.recv()).to.equal('still served');
      await kill(child);
    });

    it('is recovered from if it holds the lock for putting, between two items', async () => {
      const { child, conn } = start(python, 'children:holds_writing', queue);
      expect(await conn.recv()).to.equal('held');
      await queue.put('waits in the feeder');
      await kill(child);
      expect(await queue.get()).to.equal('waits in the feeder');
    });

    it('loses the large item that it is writing, and nothing else', async () => {
      await queue.put('first');
      const { child } = start(python, 'recorded:put_all', queue, 1 << 20);
      await untilWorkersAsleep(child.pid!, 'poll');
      await kill(child);
      await queue.put('last');
      expect([await queue.get(), await queue.get()]).to.deep.equal(['first', 'last']);
    });

    for (const size of [20, 3000, 100_000]) {
      it(`loses at most its own items if it is putting, of ${size} bytes`, async () => {
        for (let round = 0; round < 4; round++) {
          const { child, conn } = start(python, 'recorded:put_all', queue, size);
          for (let got = 0; got < 40 + round * 7; got++) expect(isWhole(await queue.get(), size)).to.equal(true);
          // Without its reader the member would end by itself.
          await kill(child);
          conn.close();
          await queue.put('mine');
          for (let item = await queue.get(); item !== 'mine'; item = await queue.get())
            expect(isWhole(item, size)).to.equal(true);
        }
      });

      it(`loses at most its own items if it is getting, of ${size} bytes`, async () => {
        const producer = start(python, 'recorded:put_all', queue, size);
        for (let round = 0; round < 4; round++) {
          const { child, conn } = start(python, 'recorded:get_all', queue);
          for (let i = 0; i <= round; i++) await conn.recv();
          await kill(child);
          for (let got = 0; got < 20; got++) expect(isWhole(await queue.get(), size)).to.equal(true);
        }
        await kill(producer.child);
      });
    }

    // Regression: the next reader and the next writer each kept its lock and tried for that of the other one, for ever.
    for (const [which, sizes, left] of [
      ['', [4000, 4000], [1]],
      [', of other items', [40, 3000, 40], [1, 2]],
    ] as const) {
      it(`is recovered from if a reader dies, too, inside of a call that moves as many bytes${which}`, async () => {
        const { rlock, wlock } = descriptorOf(queue, { nodeOnly: true }) as QueueDescriptor;
        const producer = start(python, 'recorded:stay_putting', queue, [...sizes]);
        expect(await producer.conn.recv()).to.equal('moved');
        const consumer = start(python, 'recorded:stay_getting', queue);
        expect(await consumer.conn.recv()).to.equal('moved');
        const writer = start(python, 'recorded:put_all', queue, 4000);
        const reader = start(python, 'recorded:get_each', queue);
        await until(() => [rlock, wlock].every(({ semaphore }) => sleepersOn(semaphore.name) === 1));
        await kill(producer.child);
        await until(() => sleepersOn(wlock.semaphore.name) === 0);
        await kill(consumer.child);
        // The first item was in the hands of the consumer.
        for (const number of [...left, 0, 1, 2]) {
          const item = Buffer.from((await reader.conn.recv()) as Uint8Array);
          expect(item.readUInt32BE(0)).to.equal(number);
        }
        expect(queue.stats().lost).to.equal(1);
        await kill(writer.child);
        await kill(reader.child);
      });
    }

    it('returns the slots of its items, and of the item that it has got', async () => {
      const limited = new Queue({ maxsize: 3, serialization: 'pickle' });
      for (let round = 0; round < 3; round++) {
        const producer = start(python, 'recorded:put_all', limited, 100_000);
        const consumer = start(python, 'recorded:get_all', limited);
        await consumer.conn.recv();
        await kill(consumer.child);
        await kill(producer.child);
        while (
          await limited.get({ timeout: 1200 }).then(
            () => true,
            () => false,
          )
        );
        for (let i = 0; i < 3; i++) await limited.put(i);
        for (let i = 0; i < 3; i++) expect(await limited.get()).to.equal(i);
      }
      limited.close();
    });

    it('is recovered from with a SimpleQueue', async () => {
      const simple = new SimpleQueue({ serialization: 'pickle' });
      const producer = start(python, 'recorded:put_all', simple, 100_000);
      const consumer = start(python, 'recorded:get_all', simple);
      await consumer.conn.recv();
      await kill(consumer.child);
      expect(isWhole(await simple.get(), 100_000)).to.equal(true);
      await kill(producer.child);
      // What the producer has left may fill the pipe.
      const put = simple.put('mine');
      for (let item = await simple.get(); item !== 'mine'; item = await simple.get())
        expect(isWhole(item, 100_000)).to.equal(true);
      await put;
      simple.close();
    });
  });

  describe(`A Python member of a queue that lives (Python ${python.version})`, () => {
    // Regression: the lock of a consumer that was stopped and continued was released when any other Python child ended.
    it('keeps its lock while it is stopped, and after it goes on', async () => {
      const queue = new Queue({ serialization: 'pickle' });
      const rlock = NamedSemaphore.open(queueDescriptor(queue).rlock.semaphore.name);
      const { child, conn } = start(python, 'recorded:get_with_limit', queue);
      expect(await conn.recv()).to.equal('ready');
      await untilAsleep(child.pid!, 'poll');
      for (const signal of ['SIGSTOP', 'SIGCONT'] as const) {
        process.kill(child.pid!, signal);
        await startOther(python, 'recorded:nothing', queue).join();
        // A call that waits looks for dead members meanwhile.
        await rejects(queue.get({ timeout: 1200 }), { code: 'ERR_MP_EMPTY' });
        expect(rlock.value).to.equal(0);
      }
      for (let i = 0; i < 100; i++) await queue.put({ i, text: 'x'.repeat(i * 50) });
      for (let i = 0; i < 100; i++) expect(((await conn.recv()) as { i: number }).i).to.equal(i);
      await kill(child);
      rlock.close();
      queue.close();
    });

    // Regression: the queue was broken for all when a member held a lock and waited for its interpreter's lock.
    it('breaks no queue while it waits for the lock of its interpreter', async () => {
      const queue = new Queue({ serialization: 'pickle' });
      const { child, conn } = start(python, 'recorded:starved', queue, 2);
      expect(await conn.recv()).to.equal('ready');
      await untilWorkersAsleep(child.pid!, 'poll');
      await queue.put('an item');
      await startOther(python, 'recorded:nothing', queue).join();
      await queue.put('another');
      expect([await conn.recv(), await conn.recv()]).to.deep.equal(['an item', 'another']);
      await kill(child);
      queue.close();
    });
  });
}
