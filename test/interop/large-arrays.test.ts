// SPDX-License-Identifier: MIT
//
// Large arrays in tasks and results of a PythonPool, which are carried beside the messages.
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';
import { pickle, type TypedArrayClass } from 'node-multiprocessing';

import { foreignEnv, numpyPythons, packageRoot, rejects } from '../helpers/index.js';
import { types } from './support/array-types.js';

const LENGTH = 2 ** 17;

/** The bytes in the files that carry large arrays between this process and the workers of its pools. */
function carried(): number[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = `/proc/self/fd/${fd}`;
      return readlinkSync(path).startsWith('/memfd:mp-arrays') ? [statSync(path).size - 4096] : [];
    } catch {
      return []; // The descriptor by which the folder was read.
    }
  });
}

for (const { numpy, version, path } of numpyPythons()) {
  describe(`Large arrays of a PythonPool, numpy ${numpy} of Python ${version}`, () => {
    const options = { python: path, pythonPath: join(packageRoot, 'test', 'peers'), env: foreignEnv() };
    const at = (name: string): { target: string } => ({ target: `shared_arrays:${name}` });
    let pool: mp.PythonPool;

    beforeEach(() => {
      pool = new mp.PythonPool({ ...options, target: 'shared_arrays:own', processes: 1, killTimeout: 1000 });
    });

    afterEach(async () => {
      await pool.terminate();
      expect(carried()).to.deep.equal([]);
    });

    it("are the function's own, whatever their type", async () => {
      expect(carried()).to.deep.equal([0]);
      for (const [Class, dtype] of types) {
        const elements = new (Class as TypedArrayClass<Uint32Array>)(new ArrayBuffer(8 * LENGTH));
        elements.fill((Class.name.startsWith('Big') ? 5n : 5) as number);
        const before = elements.slice();
        const count = elements.length;
        const got = [dtype, [2, count / 2], true, [5, 5, 5], 5];
        expect(await pool.apply([pickle.ndarray(elements, [2, count / 2])])).to.deep.equal(['ndarray', ...got]);
        const [kind, , shape, , ...values] = (await pool.apply([elements.subarray(0)])) as unknown[];
        expect(kind).to.equal(Class === Uint8Array ? 'bytes' : 'array');
        expect([shape, ...values]).to.deep.equal([[count], [5, 5, 5], 5]);
        expect(elements.every((value, i) => value === before[i])).to.equal(true);
      }
      expect(await pool.apply([Buffer.alloc(2 ** 20, 1)])).to.deep.equal([
        'bytes',
        '|u1',
        [2 ** 20],
        true,
        [1, 1, 1],
        1,
      ]);
      expect(carried()[0]).to.be.greaterThan(8 * LENGTH);
    });

    it("are the caller's own as results, in the order and with the types of a pickle", async () => {
      const result = pool.apply([LENGTH], at('large'));
      const [arrays, pickles] = (await result) as [Record<string, pickle.NdArray>, Record<string, Buffer>];
      expect(carried()[0]).to.be.greaterThan(2 ** 28);
      await pool.apply([], at('change'));
      expect(arrays['again']).to.equal(arrays['made']);
      for (const [name, array] of Object.entries(arrays)) {
        const expected = pickle.loads(pickles[name] as Buffer) as typeof array;
        expect(array.constructor, name).to.equal(expected.constructor);
        expect([array.shape, array.dtype, array.byteOffset], name).to.deep.equal([expected.shape, expected.dtype, 0]);
        expect(Buffer.compare(Buffer.from(array.buffer), Buffer.from(expected.buffer)), name).to.equal(0);
      }
      const { made, fixed } = arrays as Record<string, Float64Array>;
      made?.fill(7);
      expect([fixed?.[1], structuredClone(made, { transfer: [made?.buffer as ArrayBuffer] })?.[1]]).to.deep.equal([
        1, 7,
      ]);
    });

    it('arrive although others before them found no room, could not be read, or were not sent', async () => {
      const large = new Float64Array(LENGTH);
      const many = Array.from({ length: 260 }, () => pickle.ndarray(large.subarray(0)));
      expect(await pool.apply([many], at('total'))).to.deep.equal(many.map(() => 0));
      for (let i = 0; i < 3; i++) {
        await rejects(pool.apply([LENGTH], at('records')), { code: 'ERR_MP_UNPICKLING' });
        await rejects(pool.apply([LENGTH], at('no_pickle')), { code: 'ERR_MP_REMOTE' });
        await rejects(pool.apply([new Float64Array(LENGTH), Symbol('none')]), { code: 'ERR_MP_PICKLING' });
        const one = pickle.ndarray(new Float64Array(LENGTH).fill(i));
        expect(await pool.apply([[one]], at('total'))).to.deep.equal([2 * i]);
        expect(await pool.apply([one], at('give'))).to.deep.equal(one);
      }
      // The place of those that were not read, or not sent, was used again.
      expect(carried()[0]).to.be.within(2 ** 28 + 2 ** 20, 2 ** 28 + 2 * 2 ** 20);
    });

    it('keep their contents while others are on their ways, in tasks, results and streams', async () => {
      const numbers = Array.from({ length: 12 }, (_, i) => i);
      const arrays = numbers.map((i) => pickle.ndarray(new Float64Array(LENGTH).fill(i)));
      const tasks = numbers.map((i) => pool.apply([arrays.slice(0, i)], at('total')));
      const given = numbers.map((i) => pool.apply([arrays[i]], at('give')) as Promise<Float64Array>);
      (await Promise.all(tasks)).forEach((sums, i) => {
        expect(sums).to.deep.equal(numbers.slice(0, i).map((each) => 2 * each));
      });
      (await Promise.all(given)).forEach((array, i) => {
        expect([array[0], array.at(-1)]).to.deep.equal([i, i]);
      });
      let count = 0;
      const stream = pool.stream([20, LENGTH], { ...at('items'), buffersize: 5 });
      for await (const pair of stream as AsyncIterable<[Float64Array, Float64Array]>) {
        expect(pair.map((array) => [array[0], array.at(-1)])).to.deep.equal(
          [count + 0.5, -count - 0.5].map((i) => [i, i]),
        );
        count++;
      }
      expect(count).to.equal(20);
    });

    it('leave nothing when the worker is killed while it sends them', async () => {
      for (let i = 0; i < 3; i++) {
        const stream = pool.stream([LENGTH], at('killed')) as AsyncIterable<Float64Array>;
        const all = (async () => {
          for await (const array of stream)
            expect([array.length, array[0], array.at(-1)]).to.deep.equal([LENGTH, 1, 1]);
        })();
        await rejects(all, { code: 'ERR_MP_WORKER_DIED' });
      }
      await pool.apply([], at('drop'));
      expect(carried()).to.deep.equal([0]);
    });
  });
}
