// SPDX-License-Identifier: MIT
//
// Arrays of numpy beyond the table of docs/python.md: memory orders, foreign byte order, and element types without a
// typed array.
import { expect } from 'chai';
import { pickle } from 'node-multiprocessing';

import { numpyPythons, PickleMaker, throws } from '../helpers/index.js';

interface Case {
  readonly expression: string;
  readonly type: string;
  readonly elements: readonly (number | bigint)[];
  readonly shape: readonly number[];
  readonly dtype: string;
  /** What comes back, if it differs: the array in C order and in this machine's byte order. */
  readonly back?: string;
}

const cases: readonly Case[] = [
  {
    expression: 'numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3))',
    type: 'Float64Array',
    elements: [0, 1, 2, 3, 4, 5],
    shape: [2, 3],
    dtype: '<f8',
    back: 'numpy.arange(6.0).reshape(2, 3)',
  },
  {
    expression: 'numpy.arange(12, dtype=">i4").reshape(2, 3, 2).T',
    type: 'Int32Array',
    elements: [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11],
    shape: [2, 3, 2],
    dtype: '<i4',
    back: 'numpy.ascontiguousarray(numpy.arange(12, dtype="i4").reshape(2, 3, 2).T)',
  },
  {
    expression: 'numpy.array([1.5, -2.5], ">f8")',
    type: 'Float64Array',
    elements: [1.5, -2.5],
    shape: [2],
    dtype: '<f8',
    back: 'numpy.array([1.5, -2.5])',
  },
  {
    expression: 'numpy.array([1, 0.5, -0.0, 65504, 2 ** -24, numpy.inf, -numpy.inf], "f2")',
    type: 'Float32Array',
    elements: [1, 0.5, -0, 65504, 2 ** -24, Infinity, -Infinity],
    shape: [7],
    dtype: '<f4',
    back: 'numpy.array([1, 0.5, -0.0, 65504, 2 ** -24, numpy.inf, -numpy.inf], "f4")',
  },
  {
    expression: 'numpy.array(["1970-01-01T00:00:01", "NaT"], "M8[ns]")',
    type: 'BigInt64Array',
    elements: [1_000_000_000n, -(2n ** 63n)],
    shape: [2],
    dtype: '<M8[ns]',
  },
  {
    expression: 'numpy.array([4, -1], "m8[25s]")',
    type: 'BigInt64Array',
    elements: [4n, -1n],
    shape: [2],
    dtype: '<m8[25s]',
  },
  {
    expression: 'numpy.array([1 + 2j, -3j], "c16")',
    type: 'Float64Array',
    elements: [1, 2, -0, -3],
    shape: [2],
    dtype: '<c16',
  },
  {
    expression: 'numpy.array([[1 + 2j]], ">c8")',
    type: 'Float32Array',
    elements: [1, 2],
    shape: [1, 1],
    dtype: '<c8',
    back: 'numpy.array([[1 + 2j]], "c8")',
  },
  { expression: 'numpy.array(5.0)', type: 'Float64Array', elements: [5], shape: [], dtype: '<f8' },
  { expression: 'numpy.zeros((0, 3), "i2")', type: 'Int16Array', elements: [], shape: [0, 3], dtype: '<i2' },
  {
    expression: 'numpy.arange(10, dtype="i8")[::-3]',
    type: 'BigInt64Array',
    elements: [9n, 6n, 3n, 0n],
    shape: [4],
    dtype: '<i8',
    back: 'numpy.array([9, 6, 3, 0], "i8")',
  },
  {
    expression: 'numpy.array([2 ** 64 - 1], "u8")',
    type: 'BigUint64Array',
    elements: [2n ** 64n - 1n],
    shape: [1],
    dtype: '<u8',
  },
  {
    expression: 'numpy.array([[True, False]])',
    type: 'Uint8Array',
    elements: [1, 0],
    shape: [1, 2],
    dtype: '|b1',
  },
  {
    expression: 'numpy.arange(4, dtype="i1").reshape(2, 2)[:, 1]',
    type: 'Int8Array',
    elements: [1, 3],
    shape: [2],
    dtype: '|i1',
    back: 'numpy.array([1, 3], "i1")',
  },
];

/** Expressions whose element types have no typed array. */
const refused = [
  'numpy.zeros(2, [("a", "f8"), ("b", "i4")])',
  'numpy.array(["text"])',
  'numpy.array([b"bytes"])',
  'numpy.array([None, {}], object)',
  'numpy.array([1], "g")',
  'numpy.datetime64(1, "s")',
];

for (const python of numpyPythons()) {
  describe(`Arrays of numpy ${python.numpy}`, () => {
    for (const { expression, type, elements, shape, dtype, back = expression } of cases) {
      it(`travel there and back: ${expression}`, async () => {
        const maker = new PickleMaker(python);
        for (const protocol of [0, 1, 2, 3, 4, 5]) {
          const array = pickle.loads(maker.dumps(expression, protocol)) as pickle.NdArray;
          expect(array.constructor.name).to.equal(type);
          expect([...array].map((element, i) => Object.is(element, elements[i]))).to.deep.equal(
            elements.map(() => true),
          );
          expect(array.shape).to.deep.equal(shape);
          expect(array.dtype).to.equal(dtype);
          maker.expectValue(pickle.dumps(array), back);
        }
        await maker.end();
      });
    }

    it('are refused if there is no typed array for their elements', async () => {
      const maker = new PickleMaker(python);
      for (const expression of refused) {
        for (const protocol of [0, 2, 4, 5]) {
          throws(() => pickle.loads(maker.dumps(expression, protocol)), { code: 'ERR_MP_UNPICKLING' });
        }
      }
      await maker.end();
    });
  });
}
