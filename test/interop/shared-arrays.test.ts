// SPDX-License-Identifier: MIT
//
// Arrays over shared memory between Node and numpy: in arguments, over channels and queues, and through pools.
import type { StdioOptions } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';
import { pickle, type TypedArrayClass } from 'node-multiprocessing';

import { native } from '#lib/native/addon.js';

import { foreignEnv, numpyPythons, packageRoot, rejects, track, turns } from '../helpers/index.js';
import { types } from './support/array-types.js';

const { sharedArray } = mp;

/** The files of the blocks of this user's families. */
export function blocks(): string[] {
  const folders = native.families.folders();
  if (typeof folders === 'number') return [];
  return folders.flatMap((folder) => readdirSync(folder)).filter((file) => file.includes('.array.'));
}

/** The size of the file for 100,000 floats. */
const SIZE = 4096 + 7 * 2 ** 17;

const made: ArrayBufferView[] = [];

function keep<T extends ArrayBufferView>(array: T): T {
  made.push(array);
  return array;
}

/** Gives up all arrays of the test, and waits until the pool has removed their blocks. */
async function endAll(): Promise<void> {
  for (const array of made.splice(0)) sharedArray.release(array);
  do {
    await turns();
    native.arrays.trim();
  } while (blocks().length > 0);
}

for (const { numpy, version, path } of numpyPythons()) {
  describe(`Shared arrays and numpy ${numpy} of Python ${version}`, () => {
    afterEach(endAll);

    const options = { python: path, pythonPath: join(packageRoot, 'test', 'peers'), env: foreignEnv() };

    /** Runs a test with a worker. */
    function withWorker(
      test: (call: (name: string, ...args: readonly unknown[]) => Promise<unknown>) => Promise<void>,
    ) {
      return async (): Promise<void> => {
        const pool = new mp.PythonPool({ ...options, target: 'shared_arrays:give', processes: 1, killTimeout: 1000 });
        try {
          await test((name, ...args) => pool.apply(args, { target: `shared_arrays:${name}` }));
        } finally {
          await pool.terminate();
        }
      };
    }

    it(
      'arrive over the same memory and come back, whatever their type',
      withWorker(async (call) => {
        for (const [Class, dtype] of types) {
          const array = keep(sharedArray(Class as TypedArrayClass<Int8Array>, [2, 3]));
          const isBig = Class.name.startsWith('Big');
          array.fill((isBig ? 5n : 5) as number);
          expect(await call('describe', array)).to.deep.equal([true, dtype, [2, 3], true, true, Array(6).fill(5)]);
          expect(array[0]).to.equal(isBig ? 1n : 1);
          const back = (await call('give', array)) as typeof array;
          expect(back.buffer).to.equal(array.buffer);
          expect([back.shape, back.dtype]).to.deep.equal([[2, 3], dtype]);
          expect([...back]).to.deep.equal([...array]);
        }
        const complex = keep(sharedArray.from(pickle.ndarray(Float64Array.of(1, 2, 3, 4), [2], '<c16')));
        const back = (await call('give', complex)) as pickle.NdArray;
        expect([back.buffer === complex.buffer, back.dtype, [...back]]).to.deep.equal([true, '<c16', [1, 2, 3, 4]]);
        const flags = keep(sharedArray.from(pickle.ndarray(Uint8Array.of(1, 0), [2], '|b1')));
        expect(await call('describe', flags)).to.deep.equal([true, '|b1', [2], true, true, [true, false]]);
        const dates = keep(sharedArray.from(pickle.ndarray(BigInt64Array.of(7n), [1], '<M8[ns]')));
        expect(await call('give', dates)).to.deep.equal(dates);
        const part = keep(sharedArray.from(Float32Array.of(1, 2, 3, 4)));
        expect(await call('describe', part.subarray(1, 3))).to.deep.equal([true, '<f4', [2], true, true, [2, 3]]);
        expect([...part]).to.deep.equal([1, 1, 3, 4]);
      }),
    );

    it(
      'views in Python are over the memory, and what has no such view is a copy',
      withWorker(async (call) => {
        const array = keep(sharedArray.from(pickle.ndarray(Float64Array.of(0, 1, 2, 3, 4, 5), [2, 3])));
        const got = (await call('views', array)) as Record<string, pickle.NdArray>;
        const shared = Object.keys(got).filter((name) => got[name]?.buffer === array.buffer);
        expect(shared).to.have.members(['row', 'reshaped', 'bytes']);
        expect([...(got['row'] ?? [])]).to.deep.equal([3, 4, 5]);
        expect(got['reshaped']?.shape).to.deep.equal([3, 2]);
        expect([...(got['columns'] ?? [])]).to.deep.equal([0, 3, 1, 4, 2, 5]);
        expect([...(got['step'] ?? [])]).to.deep.equal([0, 2, 3, 5]);
        expect([...(got['sum'] ?? [])]).to.deep.equal([1, 2, 3, 4, 5, 6]);
        array[3] = 9;
        expect([got['row']?.[0], got['columns']?.[1]]).to.deep.equal([9, 3]);
      }),
    );

    it('arguments, connections and queues carry it, and it comes back over each', async () => {
      const [ours, theirs] = mp.Pipe(true, { serialization: 'pickle' });
      track(ours);
      const queue = new mp.Queue<unknown>({ serialization: 'pickle' });
      const array = keep(sharedArray.from(Int32Array.of(1, 2)));
      const args = [theirs, queue, array];
      const child = new mp.PythonProcess({ ...options, target: 'shared_arrays:serve', args });
      child.start();
      theirs.close();
      expect(await ours.recv()).to.deep.equal(array);
      expect(array[0]).to.equal(7);
      const other = keep(sharedArray.from(Float64Array.of(0.5, 1.5)));
      await ours.send({ nested: [other, other] });
      const { nested } = (await ours.recv()) as { nested: Float64Array[] };
      expect(nested.map(({ buffer }) => buffer === other.buffer)).to.deep.equal([true, true]);
      expect(((await queue.get()) as { nested: Float64Array[] }).nested[0]?.buffer).to.equal(other.buffer);
      await ours.send(null);
      await child.join();
      expect(child.exitcode).to.equal(0);
      queue.close();
    });

    it(
      'memory that Python still has is not used again before all of its processes drop it',
      withWorker(async (call) => {
        const array = sharedArray.from(Int16Array.of(1, 2));
        // A process that Python starts gets it, too.
        expect(await call('in_process', array)).to.equal(0);
        expect([...array]).to.deep.equal([2, 3]);
        await call('keep', array);
        sharedArray.release(array);
        await turns();
        const other = sharedArray.from(Int16Array.of(8, 9));
        expect(blocks()).to.have.lengthOf(2);
        expect(native.arrays.trim()).to.equal(false);
        await call('drop');
        await call('keep_in_fork', other);
        sharedArray.release(other);
        await turns();
        expect(native.arrays.trim()).to.equal(false);
        await call('end_fork');
        await endAll();
      }),
    );

    // Regression: the memory of the second array stayed in use until the end of the connection.
    it('memory whose message Python could not read is used again after the next message', async () => {
      const [ours, theirs] = mp.Pipe(true, { serialization: 'pickle' }).map(track) as [mp.Connection, mp.Connection];
      const target = 'shared_arrays:without_descriptors';
      const child = new mp.PythonProcess({
        ...options,
        target,
        args: [theirs],
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      child.start();
      const answers: unknown[] = [];
      for (const i of [1, 2, 3]) {
        await ours.send(keep(sharedArray.from(Int16Array.of(i))));
        answers.push(await ours.recv());
      }
      expect(answers).to.deep.equal([[1], constants.errno.EMFILE, [3]]);
      sharedArray.release(made.splice(1, 1)[0] as ArrayBufferView);
      await turns();
      native.arrays.trim();
      expect(blocks()).to.have.lengthOf(2);
      await ours.send('end');
      await child.join();
    });

    it(
      'the mapping in Python stays for the next message, and neither the use of the memory nor the memory',
      withWorker(async (call) => {
        const array = sharedArray(Float64Array, 100_000);
        await call('describe', array.subarray(0, 1));
        expect(await call('mapped')).to.deep.equal([[1, SIZE]]);
        sharedArray.release(array);
        await turns();
        const again = sharedArray(Float64Array, 100_000);
        expect([blocks().length, again.length]).to.deep.equal([1, 100_000]);
        again[0] = 7;
        expect(((await call('describe', again.subarray(0, 1))) as unknown[]).at(-1)).to.deep.equal([7]);
        sharedArray.release(again);
        await turns();
        expect(native.arrays.trim()).to.equal(true);
        expect([blocks(), await call('mapped')]).to.deep.equal([[], [[0, 4096]]]);
        for (let i = 0; i < 10; i++) {
          expect(await call('give', keep(sharedArray.from(Int8Array.of(i))))).to.deep.equal(made.at(-1));
        }
        expect(await call('mapped')).to.have.length(8);
      }),
    );

    it(
      'objects of SharedMemory are parts of messages in both directions',
      withWorker(async (call) => {
        using ours = new mp.SharedMemory({ create: true, size: 3 });
        ours.buf.write('abc');
        const [memory, shape, dtype, first] = (await call('own_memory', ours)) as [
          mp.SharedMemory,
          number[],
          string,
          Buffer,
        ];
        using theirs = memory;
        expect(String(first)).to.equal('abc');
        expect(pickle.ndarray(new Float64Array(theirs.view(), 0, 2), shape, dtype)).to.deep.equal(
          pickle.ndarray(Float64Array.of(0.5, 1.5)),
        );
        const queue = new mp.Queue<mp.SharedMemory>();
        await queue.put(ours);
        using again = await queue.get();
        expect(again.name).to.equal(ours.name);
        queue.close();
        ours.unlink();
        theirs.unlink();
      }),
    );
  });
}

/** How a worker ends that has the array. */
const ends = ['exit', '_exit', 'raise', 'abort', 'memory', 'SIGKILL', 'SIGTERM', 'SIGSEGV', 'SIGBUS', 'SIGHUP'];

for (const { version, path } of numpyPythons().slice(0, 1)) {
  describe(`The end of a Python ${version} that has shared arrays`, () => {
    afterEach(endAll);

    it('gives back its memory, however it ends, and what others use stays', async () => {
      const options = { python: path, pythonPath: join(packageRoot, 'test', 'peers'), env: foreignEnv() };
      const stdio: StdioOptions = ['ignore', 'ignore', 'ignore'];
      await Promise.all(
        ends.map(async (how) => {
          const array = keep(sharedArray.from(Float64Array.of(1, 1)));
          const args = [how, array];
          const child = new mp.PythonProcess({ ...options, target: 'shared_arrays:end_by', args, stdio });
          child.start();
          await child.join().catch(() => undefined);
          expect([how, ...array]).to.deep.equal([how, 2, 1]);
        }),
      );
    });

    it('gives back what a worker of a pool has not read, has read, or has sent', async () => {
      const options = { python: path, pythonPath: join(packageRoot, 'test', 'peers'), env: foreignEnv() };
      const pool = new mp.PythonPool({ ...options, target: 'shared_arrays:end_by', processes: 1, killTimeout: 100 });
      const array = keep(sharedArray.from(Float64Array.of(1, 1)));
      await rejects(pool.apply(['SIGKILL', array]), { code: 'ERR_MP_WORKER_DIED' });
      const waiting = rejects(pool.apply([array], { target: 'shared_arrays:give_slowly' }), {
        code: 'ERR_MP_POOL_CLOSED',
      });
      await pool.terminate();
      await waiting;
      expect(array[1]).to.equal(1);
    });
  });
}

describe('Shared arrays in pickles', () => {
  afterEach(endAll);

  it('a message that arrives after its memory was used for something else is an error', async () => {
    const array = keep(sharedArray.from(Float64Array.of(1, 2)));
    const [ours, theirs] = mp.Pipe(true, { serialization: 'pickle' });
    track(ours);
    track(theirs);
    await ours.send(array);
    const bytes = await theirs.recvBytes();
    const file = blocks()[0] as string;
    const sent = pickle.loads(bytes, { unknown: 'opaque' }) as pickle.PythonObject;
    const [, , word, ticket] = (sent.args[1] as { args: unknown[] }).args as [string, number, number, number];
    native.arrays.endTicket(file, word, ticket);
    sharedArray.release(array);
    await turns();
    keep(sharedArray.from(Float64Array.of(3, 4)));
    await ours.sendBytes(bytes);
    await rejects(theirs.recv(), { code: 'ERR_MP_UNPICKLING' });
  });

  it('evaluates nothing that a pickle asks for', async () => {
    const evil = pickle.dumps(
      new pickle.PythonObject(new pickle.PythonGlobal('builtins', 'eval'), ['1 + 1', {}], false),
    );
    const [ours, theirs] = mp.Pipe(true, { serialization: 'pickle' });
    track(ours);
    track(theirs);
    await ours.sendBytes(evil);
    await rejects(theirs.recv(), { code: 'ERR_MP_UNPICKLING' });
  });
});
