// SPDX-License-Identifier: MIT
//
// A tuple that was chosen with tuple() kept lists, dicts and arrays inside when it was a key or a member of a set. Python
// raised in get(), and the item was lost. What holds for a key holds for all inside it, wrappers included.
import { expect } from 'chai';
import { Pipe, Queue, pickle, tuple, type PicklingError } from 'node-multiprocessing';
import { runInNewContext } from 'node:vm';

import { PickleMaker, pythons, rejects, throws } from '../helpers/index.js';

class Row extends Array<unknown> {}

const once = [1, [2]];
const typed = Int32Array.of(1);
const pair = tuple('a', [1]);
const plainPair = tuple('a', 1);
const foreign = runInNewContext('[1, [2]]') as unknown[];

/** Keys, each with what it is in Python. */
const keys: readonly [string, unknown, string][] = [
  ['an Array in a tuple', tuple(1, [2, [3]]), '(1, (2, (3,)))'],
  ['a Set in a tuple', tuple(new Set([[1]])), '(frozenset([(1,)]),)'],
  ['a tuple in an Array', [tuple([1])], '(((1,),),)'],
  ['a tuple in a Set', new Set([tuple([1], 2)]), 'frozenset([((1,), 2)])'],
  ['an empty tuple', tuple(), '()'],
  ['wrappers in a tuple', tuple(Object(1), Object('a')), '(1, "a")'],
  ['bytes in a tuple', tuple(Buffer.from('a'), Uint8Array.of(98).buffer), '(b"a", b"b")'],
  ['a datetime in a tuple', tuple(new pickle.TimeDelta(1)), '(datetime.timedelta(1),)'],
  ['an Array of another realm', foreign, '(1, (2,))'],
  ['an Array of a derived class', Row.from([1, [2]]), '(1, (2,))'],
];

/** Values that cannot be keys, with their paths below the key. */
const refused: readonly [string, unknown, string][] = [
  ['an object in a tuple', tuple(1, { a: 1 }), '[1]'],
  ['a Map in a tuple in an Array', [tuple(new Map())], '[0][0]'],
  ['a typed array', Int32Array.of(1), ''],
  ['a typed array in a tuple', tuple(Int32Array.of(1)), '[0]'],
  ['an array of numpy', pickle.ndarray(Float64Array.of(1)), ''],
  ['an array of bytes of numpy in an Array', [pickle.ndarray(Uint8Array.of(1))], '[0]'],
  ['an object of another realm', runInNewContext('({ a: 1 })'), ''],
  ['a Map of another realm', runInNewContext('new Map()'), ''],
  ['a deque', new pickle.PythonObject(new pickle.PythonGlobal('collections', 'deque'), [], false), ''],
];

describe('A key of a dict and a member of a set', () => {
  for (const python of pythons()) {
    it(`is hashable in Python ${python.version}, with all inside it`, async () => {
      const maker = new PickleMaker(python);
      for (const [, key, expression] of keys) {
        maker.expectValue(pickle.dumps(new Map([[key, 1]])), `{${expression}: 1}`);
        maker.expectValue(pickle.dumps(new Set([key])), `{${expression}}`);
        maker.expectValue(pickle.dumps([new Set([key]), new Map([[key, 2]])]), `[{${expression}}, {${expression}: 2}]`);
      }
      // The same objects as values, before and after.
      maker.expectValue(pickle.dumps([once, new Set([once]), once]), '[[1, [2]], {(1, (2,))}, [1, [2]]]');
      maker.expectValue(pickle.dumps([pair, new Set([pair]), pair]), '[("a", [1]), {("a", (1,))}, ("a", [1])]');
      maker.expectValue(pickle.dumps([new Set([pair]), pair]), '[{("a", (1,))}, ("a", [1])]');
      maker.expectValue(pickle.dumps([foreign, new Set([foreign]), foreign]), '[[1, [2]], {(1, (2,))}, [1, [2]]]');
      const same = pickle.dumps([plainPair, new Set([plainPair])]);
      expect(same.length).to.be.lessThan(pickle.dumps([tuple('a', 1), new Set([tuple('a', 1)])]).length);
      await maker.end();
    });
  }

  for (const [what, key, path] of refused) {
    it(`is refused with its path: ${what}`, () => {
      const attempts: [unknown, string][] = [
        [new Map([[key, 1]]), `value.keys()[0]${path}`],
        [{ set: new Set([0, key]) }, `value.set.values()[1]${path}`],
        // The object was written before, where it was allowed.
        [[key, new Set([key])], `value[1].values()[0]${path}`],
      ];
      for (const [value, where] of attempts) {
        const error = throws(() => pickle.dumps(value), { code: 'ERR_MP_PICKLING' }) as PicklingError;
        expect(error.message.slice(0, where.length + 1)).to.equal(`${where} `);
      }
    });
  }

  // Regression: all but one were lost in silence.
  it('is refused if it is one of several NaN', async () => {
    const maker = new PickleMaker(pythons()[0] as never);
    for (const protocol of [0, 1, 2, 3, 4, 5]) {
      for (const twice of [
        '{float("nan"): 1, float("nan"): 2}',
        '{float("nan"), float("nan")}',
        'frozenset([float("nan"), float("nan")])',
      ]) {
        throws(() => pickle.loads(maker.dumps(twice, protocol)), { code: 'ERR_MP_UNPICKLING' });
      }
      const once = pickle.loads(maker.dumps('{float("nan"): 1, 2: 3}', protocol)) as Map<unknown, unknown>;
      expect([once.size, once.get(NaN)]).to.deep.equal([2, 1]);
    }
    await maker.end();
  });

  it('is refused in each form of sending', async () => {
    const bad = new Map([[tuple(typed), 1]]);
    const code = 'ERR_MP_PICKLING';
    const [a, b] = Pipe(true, { serialization: 'pickle' });
    const queue = new Queue({ serialization: 'pickle' });
    await rejects(a.send(bad), { code });
    throws(() => a.sendSync(bad), { code });
    await rejects(queue.put(bad), { code });
    throws(() => queue.putSync(bad), { code });
    await a.send('next');
    expect(await b.recv()).to.equal('next');
    for (const end of [a, b, queue]) end.close();
  });
});
