// SPDX-License-Identifier: MIT
//
// Objects of classes that are unknown here. Their tuples came back as lists, which many classes of Python refuse, and
// which some take for something else in silence.
import { deepStrictEqual } from 'node:assert';

import { expect } from 'chai';
import { pickle } from 'node-multiprocessing';

import { numpyPythons, PickleMaker, pythons } from '../helpers/index.js';

const protocols = [0, 1, 2, 3, 4, 5];

/** Expressions whose values come back equal, with the same types. */
const unchanged = [
  'Slotted(1, (2, [3, (4,)]))',
  'Mixed(1, (2,), {"c": (3,)})',
  'Listed(None, None)',
  'Listed({"a": 1}, {"b": 2})',
  'Listed(1, (2, 3))',
  'Frozen(None, {"size": 3})',
  'Frozen((1, 2), [3])',
  'strict(1, 2)',
  'strict(None, {"a": (1,)})',
  'strict(frozenset([1, (2, frozenset())]), {3}, bytearray(b"ab"), b"ab", ())',
  'strict({(1, 2): [(3,)], "b": Point((1,), [2])})',
  'strict(Pair((1,), [2]), Called((1, 2), [3]))',
  'Members([1, (2,)])',
  'Pair((1, 2), [3, 4])',
  // Regression: the call of the function was dropped in silence, and with it the state.
  'ByFunction((1,), [2])',
  '[ByFunction(1, 2)] * 2',
];

/** Expressions of objects without `==`, and what is equal about them. */
const alike: readonly [string, string][] = [
  ['functools.partial(int, base=2)', '(value.func, value.args, value.keywords)'],
  ['functools.partial(max, (1, 2), [3], key=len)', '(value.func, value.args, value.keywords)'],
  ['random.Random(1)', 'value.getstate()'],
];

function opaque(bytes: Buffer): unknown {
  return pickle.loads(bytes, { unknown: 'opaque' });
}

describe('An object of an unknown class', () => {
  for (const python of pythons()) {
    it(`comes back with its tuples, frozensets and bytearrays (Python ${python.version})`, async () => {
      const maker = new PickleMaker(python);
      for (const expression of unchanged) {
        for (const protocol of protocols) {
          // In protocols 0 and 1 objects with __slots__ cannot be pickled.
          if (protocol < 2 && /Slotted|Mixed|Listed|Frozen|Members|Pair/.test(expression)) continue;
          maker.expectValue(pickle.dumps(opaque(maker.dumps(expression, protocol))), expression);
        }
      }
      for (const [expression, view] of alike) {
        for (const protocol of [2, 3, 4, 5]) {
          const back = pickle.dumps(opaque(maker.dumps(expression, protocol)));
          expect(maker.same(back, expression, view), `${expression} in protocol ${protocol}`).to.equal(true);
        }
      }
      await maker.end();
    });

    it(`does not change what is outside of it, and shares with it what it can (Python ${python.version})`, async () => {
      const maker = new PickleMaker(python);
      const shared = '(lambda t, l: [t, strict(t, l), l, t])((1, 2), [3])';
      maker.expectValue(pickle.dumps(opaque(maker.dumps(shared))), '[[1, 2], strict((1, 2), [3]), [3], [1, 2]]');
      maker.expectValue(pickle.dumps(pickle.loads(maker.dumps('[(1, 2), frozenset([1])]'))), '[[1, 2], {1}]');
      const twice = '(lambda t: strict(t, t))((1, [2]))';
      expect(maker.same(pickle.dumps(opaque(maker.dumps(twice))), twice, 'value.state[0] is value.state[1]')).to.equal(
        true,
      );
      // Objects inside of their own arguments, which made an empty set.
      for (const [made, view] of [
        ['member_of_itself()', '(lambda s: (type(s), len(s), next(iter(s)) is value))(value.state[0])'],
        ['member_of_itself().state[0]', '(type(value), len(value), next(iter(value)).state[0] is value)'],
        ['inside_itself()', '(len(value.args), len(value.args[0]), value.args[0][0].state[0] is value)'],
        ['inside_itself(1)', '(len(value.args[0]), value.args[0][0][0].state[0] is value)'],
      ] as const) {
        for (const protocol of [2, 3, 4, 5]) {
          const back = pickle.dumps(opaque(maker.dumps(made, protocol)));
          expect(maker.same(back, made, view), `${made} in protocol ${protocol}`).to.equal(true);
        }
      }
      const cycle = '(lambda t: (t[0].append(t), strict(t))[1])(([],))';
      expect(
        maker.same(pickle.dumps(opaque(maker.dumps(cycle))), cycle, 'value.state[0][0][0] is value.state[0]'),
      ).to.equal(true);
      await maker.end();
    });
  }

  for (const python of numpyPythons()) {
    it(`may be one of numpy ${python.numpy}`, async () => {
      const maker = new PickleMaker(python);
      for (const expression of [
        'numpy.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]], dtype=">i4")',
        'numpy.ma.array([1.5, 2.5], mask=[True, False], fill_value=7)',
      ]) {
        for (const protocol of [2, 3, 4, 5]) {
          const back = pickle.dumps(opaque(maker.dumps(expression, protocol)));
          const view = '(type(value), value.dtype, value.shape, value.tolist(), value.mask.tolist(), value.fill_value)';
          // Numpy itself brings the elements into the order of the machine.
          const there = `pickle.loads(pickle.dumps(${expression}, ${protocol}))`;
          expect(maker.same(back, there, view), expression).to.equal(true);
        }
      }
      await maker.end();
    });
  }

  it('holds Arrays, Sets and Buffers for JavaScript', () => {
    const maker = new PickleMaker(pythons()[0] as never);
    const object = opaque(maker.dumps('strict((1, [2]), frozenset([3]))')) as pickle.PythonObject;
    deepStrictEqual(object.state, [[1, [2]], new Set([3])]);
    return maker.end();
  });
});
