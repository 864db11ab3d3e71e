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

/** Every type of elements that travels, in numpy's letters. */
const types = [...'? b B h H i I l L q Q e f d F D'.split(' '), 'M8[ns]', 'm8[25s]', 'M8[D]'];

/** Arrays of 24 elements in every order and layout, made of `a`. */
const layouts: readonly string[] = [
  'a',
  'a.reshape(2, 3, 4)',
  ...[
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ].map((axes) => `a.reshape(2, 3, 4).transpose(${axes.join()})`),
  'a.reshape(2, 3, 2, 2).transpose(3, 1, 0, 2)',
  'a.reshape(2, 2, 6).transpose(1, 0, 2)',
  'numpy.asfortranarray(a.reshape(4, 6))',
  'a.reshape(4, 6).T',
  'a[::2]',
  'a[::-1]',
  'a.reshape(4, 6)[1:3, ::-2]',
  'a.reshape(2, 3, 4)[:, 1]',
  'a.reshape(2, 3, 4)[..., None]',
  'numpy.broadcast_to(a, (3, 24))',
  'a[:1].reshape(())',
  'a[:0]',
  'a[:0].reshape(2, 0, 3)',
  'a.reshape(1, 1, 24)',
  'a.reshape(24, 1).transpose(1, 0)',
];

/** Arrays of classes that derive from ndarray. */
const subclasses: readonly string[] = [
  'numpy.matrix([[1, 2], [3, 4]])',
  'numpy.matrix([[1.5, 2], [3, 4]]).T',
  'numpy.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]], dtype=">i4")',
  'numpy.arange(6).view(numpy.recarray)',
  'numpy.arange(8, dtype="i1").reshape(2, 2, 2).transpose(1, 0, 2).view(Derived)',
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

    for (const type of types) {
      it(`travel in every order and layout, with elements of ${type}`, async () => {
        const maker = new PickleMaker(python);
        for (const order of ['<', '>']) {
          for (const layout of layouts) {
            const expression = `(lambda a: ${layout})((numpy.arange(24) * 7 % 120).astype("i8").astype("${order}${type}"))`;
            for (const protocol of [0, 2, 4, 5]) {
              const array = pickle.loads(maker.dumps(expression, protocol));
              maker.expectValue(pickle.dumps(array), `native(${expression})`);
            }
          }
        }
        await maker.end();
      });
    }

    it('are refused, or objects that come back, if their class derives from ndarray', async () => {
      const maker = new PickleMaker(python);
      const view = '(type(value).__name__, value.dtype.newbyteorder("="), value.shape, value.tolist())';
      for (const expression of subclasses) {
        for (const protocol of [0, 1, 2, 3, 4, 5]) {
          const bytes = maker.dumps(expression, protocol);
          throws(() => pickle.loads(bytes), { code: 'ERR_MP_UNPICKLING' });
          const back = pickle.dumps(pickle.loads(bytes, { unknown: 'opaque' }));
          expect(maker.same(back, expression, view), `${expression} in protocol ${protocol}`).to.equal(true);
        }
      }
      await maker.end();
    });

    it('have a dtype that is also a value of its own', async () => {
      const maker = new PickleMaker(python);
      for (const type of [...types.filter((letter) => !'qQ'.includes(letter)), 'U5', 'S3', 'U1', 'S1', 'V2']) {
        for (const order of ['<', '>']) {
          const expression = `numpy.dtype("${order}${type}")`;
          maker.expectValue(pickle.dumps(pickle.loads(maker.dumps(expression))), expression);
        }
      }
      await maker.end();
    });

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

describe('An array for numpy', () => {
  it('is refused with a dtype that is not that of its elements, or in another byte order', () => {
    const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
    const [own, foreign] = little ? ['<', '>'] : ['>', '<'];
    const four = new ArrayBuffer(16);
    const wrong: [pickle.TypedArray, string][] = [
      [new Float64Array(four), `${own}i8`],
      [new Float64Array(four), `${foreign}f8`],
      [new Float32Array(four), `${own}c16`],
      [new Float64Array(four), `${own}c8`],
      [new Int8Array(four), '|b1'],
      [new Int8Array(four), '|u1'],
      [new Uint8Array(four), '|i1'],
      [new Int32Array(four), `${own}u4`],
      [new Int32Array(four), `${foreign}i4`],
      [new Float64Array(four), `${own}M8[ns]`],
      [new BigUint64Array(four), `${own}m8[s]`],
      [new Int16Array(four), `${own}f2`],
    ];
    for (const [elements, dtype] of wrong) {
      const { message } = throws(() => pickle.ndarray(elements, undefined, dtype), { code: 'ERR_OUT_OF_RANGE' });
      expect(message).to.include(dtype);
      expect(message).to.include(elements.constructor.name);
      // Properties that other code has set.
      const marked = Object.assign(elements, { shape: [elements.length], dtype });
      throws(() => pickle.dumps([marked]), { code: 'ERR_MP_PICKLING' });
    }
    for (const dtype of ['f4', '=f4', `${own}f4`]) {
      expect(pickle.ndarray(new Float32Array(4), [2, 2], dtype).dtype).to.equal(dtype);
    }
    class Derived extends Float32Array {}
    expect(pickle.ndarray(new Derived(4)).dtype).to.equal(`${own}f4`);
    throws(() => pickle.dumps(Object.assign(new Float32Array(4), { shape: [5], dtype: '<f4' })), {
      code: 'ERR_MP_PICKLING',
    });
  });
});
