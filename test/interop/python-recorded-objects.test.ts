// SPDX-License-Identifier: MIT
//
// The locks and queues of a Python child, which keep records of what the child does with them: a program sees the objects of
// multiprocessing, with their types, states and errors.
import { join } from 'node:path';

import { expect } from 'chai';
import {
  BoundedSemaphore,
  Condition,
  Event,
  JoinableQueue,
  Lock,
  Pipe,
  PythonProcess,
  Queue,
  RLock,
  Semaphore,
  SimpleQueue,
} from 'node-multiprocessing';

import { foreignEnv, packageRoot, pythons, track } from '../helpers/index.js';

for (const { version, path } of pythons()) {
  describe(`Objects that keep records, in Python ${version}`, () => {
    async function answer(target: string, ...args: unknown[]): Promise<unknown> {
      const [conn, theirs] = Pipe(true, { serialization: 'pickle' });
      track(conn);
      const pythonPath = join(packageRoot, 'test', 'peers');
      const child = new PythonProcess({
        target: `recorded:${target}`,
        args: [theirs, ...args],
        python: path,
        pythonPath,
        env: foreignEnv(),
      });
      child.start();
      theirs.close();
      const result = await conn.recv();
      await child.join();
      child.close();
      return result;
    }

    it('have the types of multiprocessing, and a _semlock with all its attributes', async () => {
      const objects = [
        new Lock(),
        new RLock(),
        new Semaphore(2),
        new BoundedSemaphore(2),
        new Condition(),
        new Event(),
        new Queue({ serialization: 'pickle' }),
        new JoinableQueue({ serialization: 'pickle' }),
        new SimpleQueue({ serialization: 'pickle' }),
      ];
      const seen = (await answer('look', objects)) as unknown[][];
      const inside = seen.pop();
      const modules = objects.map((object) =>
        object instanceof Queue || object instanceof SimpleQueue ? 'queues' : 'synchronize',
      );
      expect(seen).to.deep.equal(
        objects.map((object, i) => [`multiprocessing.${modules[i]}`, object.constructor.name, true, '<']),
      );
      expect(inside).to.deep.equal([[], true, 1, 1, (objects[0] as Lock).name]);
      for (const object of objects) object.close();
    });

    it('have the states of multiprocessing', async () => {
      const objects = [new Lock(), new RLock(), new Semaphore(2), new BoundedSemaphore(3)];
      const [lock, rlock, semaphore, bounded] = objects.map((object) => object.name);
      expect(await answer('states', objects)).to.deep.equal([
        [1, 1, lock],
        [0, 1, rlock],
        [1, 2147483647, semaphore],
        [1, 3, bounded],
      ]);
      for (const object of objects) object.close();
    });

    it('return and raise what those of multiprocessing do', async () => {
      const [lock, rlock] = [new Lock(), new RLock()];
      expect(await answer('errors', lock, rlock)).to.deep.equal([
        'ValueError',
        'AssertionError',
        true,
        false,
        false,
        false,
        'TypeError',
        '<Lock(owner=',
        null,
        'ValueError',
        true,
        true,
        null,
        null,
        'AssertionError',
      ]);
      lock.close();
      rlock.close();
    });

    for (const [name, make] of [
      ['Lock', () => new Lock()],
      ['RLock', () => new RLock()],
    ] as const) {
      it(`are left consistent by a signal that raises an exception at any instruction (${name})`, async () => {
        const lock = make();
        expect(await answer('interrupted', lock, 200)).to.deep.equal([200, true]);
        expect(await lock.acquire({ block: false })).to.equal(true);
        lock.release();
        lock.close();
      });
    }
  });
}
