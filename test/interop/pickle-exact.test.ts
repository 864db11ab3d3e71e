// SPDX-License-Identifier: MIT
//
// Values that are read in order to be passed on: what comes out in Python is what went in, in every protocol.
import { decodePickle, encodePickle } from '#lib/serialization/pickle/codec.js';

import { edgePythons, PickleMaker } from '../helpers/index.js';

const EXACT = { exact: true } as const;

const unchanged = [
  '[1, 1.0, -0.0, 1e300, float("inf"), 2 ** 70, True, None]',
  '(1, (2.0, [3, (4,)]))',
  '{1.0: "a", (1, 2): "b", None: ()}',
  '{"2": 1, "1": 2, "a": {}}',
  '[frozenset([1, (2,)]), {3, 4.0}, set(), bytearray(b"x"), b"y"]',
  '[collections.OrderedDict([(1, 2)]), collections.deque([1.0, (2,)]), collections.defaultdict(int, {1: 2})]',
  '[datetime.datetime(2020, 1, 1), datetime.timedelta(1), complex(1, 2), range(3)]',
  'Slotted(1, (2, [3, (4,)]))',
  'Pair((1, 2.0), [3, 4])',
];

describe('A pickle that is passed on', () => {
  for (const python of edgePythons()) {
    it(`has the same value in Python as before (python${python.version})`, async () => {
      const maker = new PickleMaker(python);
      for (const protocol of [0, 1, 2, 3, 4, 5]) {
        for (const expression of unchanged) {
          // Python itself does not pickle such objects in the oldest protocols.
          if (protocol < 2 && expression.startsWith('Slotted')) continue;
          const value = decodePickle(maker.dumps(expression, protocol), false, EXACT);
          maker.expectValue(encodePickle(value, EXACT), expression);
        }
      }
      await maker.end();
    });
  }
});
