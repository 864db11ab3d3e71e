// SPDX-License-Identifier: MIT
//
// Python members of a queue that are killed in the middle of an operation. Their Node parent recovers what it can
// prove; otherwise it tells the Node members that the queue is broken. No call hangs.
import { join } from 'node:path';

import { expect } from 'chai';
import { Pipe, Process, PythonProcess, Queue, type Connection } from 'node-multiprocessing';

import { edgePythons, foreignEnv, packageRoot, rejects, track, type Python } from '../helpers/index.js';
import { untilAsleep, untilWorkersAsleep } from './support/programs.js';

const nodeChildren = join(packageRoot, 'out', 'test', 'peers', 'node-children.js');

/** Starts a Python child with a queue, and a Connection to it. */
function start(
  python: Python,
  target: string,
  queue: Queue,
  ...rest: unknown[]
): { child: PythonProcess; conn: Connection } {
  const [conn, theirs] = Pipe(true, { serialization: 'pickle' });
  track(conn);
  const child = new PythonProcess({
    target: `children:${target}`,
    args: [queue, ...(rest.length > 0 ? rest : [theirs])],
    python: python.path,
    pythonPath: join(packageRoot, 'test', 'peers'),
    env: foreignEnv(),
  });
  child.start();
  theirs.close();
  return { child, conn };
}

async function kill(child: PythonProcess): Promise<void> {
  child.kill();
  await child.join();
  expect(child.exitcode).to.equal(-9);
  child.close();
}

describe('A Python member of a queue that is killed', function () {
  for (const python of edgePythons()) {
    const { version } = python;
    let queue: Queue;

    beforeEach(() => {
      queue = new Queue({ serialization: 'pickle' });
    });

    afterEach(() => {
      queue.cancelJoinThread();
      queue.close();
    });

    it(`leaves the queue as it was if it waits for an item, for Node and Python (Python ${version})`, async () => {
      const { child } = start(python, 'get_one', queue);
      await untilAsleep(child.pid!, 'read');
      const other = start(python, 'get_one', queue);
      // The second member waits for the lock that the first one has.
      await untilAsleep(other.child.pid!, 'futex');
      await kill(child);
      await queue.put('for the other one');
      expect(await other.conn.recv()).to.equal('for the other one');
      await untilAsleep(other.child.pid!, 'read');
      await kill(other.child);
      await queue.put('for Node');
      expect(await queue.get()).to.equal('for Node');
    });

    it(`changes nothing if it waits for the lock (Python ${version})`, async () => {
      const { child, conn } = start(python, 'get_one', queue);
      await untilAsleep(child.pid!, 'read');
      const other = start(python, 'get_one', queue);
      await untilAsleep(other.child.pid!, 'futex');
      await kill(other.child);
      await queue.put('still served');
      expect(await conn.recv()).to.equal('still served');
      await kill(child);
    });

    it(`is recovered from if it holds the lock for putting, between two items (Python ${version})`, async () => {
      const { child, conn } = start(python, 'holds_writing', queue);
      expect(await conn.recv()).to.equal('held');
      await queue.put('waits in the feeder');
      await kill(child);
      expect(await queue.get()).to.equal('waits in the feeder');
    });

    it(`breaks the queue if it is writing a large item (Python ${version})`, async () => {
      const { child } = start(python, 'put_large', queue, 1 << 20);
      await untilWorkersAsleep(child.pid!, 'write');
      await kill(child);
      await rejects(queue.get(), { code: 'ERR_MP_QUEUE_BROKEN' });
      await rejects(queue.put(1), { code: 'ERR_MP_QUEUE_BROKEN' });
    });

    it(`breaks the queue for all Node members if it is reading an item (Python ${version})`, async () => {
      const sink = new Queue({ serialization: 'pickle' });
      const member = new Process({ module: nodeChildren, target: 'brokenness', args: [queue, sink] });
      member.start();
      expect(await sink.get()).to.equal('waits');
      // Otherwise the member would take the item.
      process.kill(member.pid!, 'SIGSTOP');
      await queue.put('y'.repeat(1000));
      const { child, conn } = start(python, 'half_read', queue);
      expect(await conn.recv()).to.equal(100);
      await kill(child);
      await rejects(queue.get(), { code: 'ERR_MP_QUEUE_BROKEN' });
      process.kill(member.pid!, 'SIGCONT');
      expect(await sink.get()).to.equal('ERR_MP_QUEUE_BROKEN');
      await member.join();
      sink.close();
    });
  }
});
