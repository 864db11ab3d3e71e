// SPDX-License-Identifier: MIT
//
// Every value that goes to Python and comes back is equal, with the same types.
import { deepStrictEqual } from 'node:assert';

import fc from 'fast-check';
import { pickle } from 'node-multiprocessing';

import { edgePythons, PickleMaker, pythons } from '../helpers/index.js';

/** Strings of any code units, lone surrogates among them. */
const text = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.array(fc.nat(0xffff), { maxLength: 12 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom('__proto__', 'constructor', 'toString', '', '\0', '\ufffd', 'x'.repeat(300), 'ü'.repeat(100)),
);

const integer = fc.oneof(
  fc.constantFrom(0, 255, 256, 65535, 65536, 2 ** 31 - 1, 2 ** 31, -1, -(2 ** 31), Number.MAX_SAFE_INTEGER),
  fc.maxSafeInteger(),
);

/** An integer comes back as a bigint only beyond the safe integers. */
const big = fc
  .bigInt({ min: -(2n ** 80n), max: 2n ** 80n })
  .map((value) => value + (value < 0n ? -(2n ** 53n) : 2n ** 53n))
  .chain((value) => fc.constantFrom(value, value ** 11n, value ** 40n));

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)),
  fc.nat(70_000).map((length) => Buffer.alloc(length, 7)),
);

const date = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true });

const typedArray = fc.oneof(
  fc.int8Array(),
  fc.int16Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
);

const special = fc.oneof(
  fc.tuple(fc.double(), fc.double()).map(([real, imag]) => new pickle.Complex(real, imag)),
  fc.uuid().map((uuid) => new pickle.UUID(uuid)),
  // In the form that Python itself writes; another text would come back.
  fc.tuple(fc.integer(), fc.nat(9)).map(([whole, digit]) => new pickle.Decimal(`${whole}.${digit}0`)),
  fc
    .tuple(fc.integer({ min: -1000, max: 1000 }), fc.nat(86399), fc.nat(999999))
    .map(([days, seconds, microseconds]) => new pickle.TimeDelta(days, seconds, microseconds)),
  date.map((d) => new pickle.PythonDate(d.getUTCFullYear(), d.getUTCMonth() + 1, d.getUTCDate())),
  date.map(
    (d) => new pickle.PythonTime(d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds(), d.getUTCMilliseconds() * 1000),
  ),
);

const simple = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  integer,
  fc.double(),
  big,
  text,
  bytes,
  date,
  typedArray,
  special,
);

/** Keys of one kind each, since Python takes 1, 1.0 and True for the same key. */
const keys = fc.oneof(
  fc.uniqueArray(integer, { maxLength: 6 }),
  fc.uniqueArray(text, { maxLength: 6 }),
  fc.uniqueArray(fc.tuple(integer, text), { maxLength: 6, selector: ([n, s]) => `${n} ${s}` }),
);

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    simple,
    fc.array(tie('value'), { maxLength: 6 }),
    fc.array(fc.tuple(text, tie('value')), { maxLength: 6 }).map((entries) => {
      const object = {};
      for (const [key, entry] of entries) {
        Object.defineProperty(object, key, { value: entry, writable: true, enumerable: true, configurable: true });
      }
      return object;
    }),
    fc.tuple(keys, fc.array(tie('value'), { maxLength: 6 })).map(([list, values]) => {
      const map = new Map<unknown, unknown>();
      for (const [i, key] of list.entries()) map.set(key, values[i] ?? null);
      // A Map whose keys are all strings would come back as an object.
      return map.set(1.5, 'no string');
    }),
    keys.map((list) => new Set<unknown>(list)),
  ),
}));

describe('Any value', () => {
  for (const python of pythons()) {
    const runs = edgePythons().includes(python) ? 300 : 60;
    it(`travels to Python ${python.version} and back`, async () => {
      const maker = new PickleMaker(python);
      fc.assert(
        fc.property(value, fc.constantFrom(0, 1, 2, 3, 4, 5), (sent, protocol) => {
          const received = pickle.loads(maker.echo(pickle.dumps(sent), protocol));
          deepStrictEqual(received, sent);
        }),
        { numRuns: runs },
      );
      await maker.end();
    });
  }
});
