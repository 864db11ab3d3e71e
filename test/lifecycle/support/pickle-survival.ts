// SPDX-License-Identifier: MIT
import { expect } from 'chai';
import { pickle } from 'node-multiprocessing';

import { edgePythons, makePair, PickleMaker, spawnPeer } from '../../helpers/index.js';
import { child, report } from './programs.js';

/** The heap of the child in MiB: a pickle that took more would end the child. */
const HEAP_MIB = 128;

/** The memory that Node needs by itself, that heap, and some memory outside of the heap. */
const MOST_MEMORY_KIB = 512 * 1024;

/** Values of all kinds, in the form that Python pickles. */
const EXPRESSIONS = [
  ...[
    'None',
    '5',
    '-1.5',
    '2 ** 70',
    '"text"',
    'b"bytes" * 9',
    'bytearray(b"x")',
    '[1, [2, [3]]]',
    '(1, ("a", None), 2, 3, 4)',
  ],
  ...['{"a": {"b": [1, 2]}, "c": {}}', '{1: {2: {3: 4}}}', '{1, "a", frozenset([2])}', 'cyclic_list()', 'cyclic_map()'],
  ...['cyclic_tuple()', 'shared()', 'nested(20)', 'complex(1, 2)', 'decimal.Decimal("1.1")', 'uuid.UUID(int=7)'],
  ...['datetime.datetime(2024, 1, 2, 3, tzinfo=datetime.timezone.utc)', 'datetime.date(2024, 1, 2)'],
  ...['datetime.timedelta(1, 2, 3)', 'collections.OrderedDict(a=1)', 'collections.defaultdict(list, a=[1])'],
  ...[
    'collections.deque([1, 2], 5)',
    'collections.Counter("aab")',
    'array.array("d", [1, 2])',
    'array.array("u", "ab")',
  ],
  ...[
    'ValueError("bad", {"a": 1})',
    'OSError(2, "gone")',
    '[{"id": i, "tags": ["a", "b"], "x": i / 3} for i in range(9)]',
  ],
];

/** Arrays of numpy, which some Pythons cannot make. */
const ARRAYS = [
  pickle.ndarray(Float64Array.of(1, 2, 3, 4), [2, 2]),
  pickle.ndarray(Uint8Array.of(0, 1), [2], '|b1'),
  pickle.ndarray(BigInt64Array.of(1n), [1], '<M8[ns]'),
];

async function corpus(): Promise<Buffer[]> {
  const pickles = ARRAYS.map((array) => pickle.dumps(array));
  for (const python of edgePythons()) {
    const maker = new PickleMaker(python);
    for (const expression of EXPRESSIONS) {
      for (const protocol of [0, 2, 4, 5]) pickles.push(maker.dumps(expression, protocol));
    }
    await maker.end();
  }
  return pickles;
}

/** Starts a child that reads `count` hostile pickles. Asserts typed errors, bounded memory and no crash. */
export async function expectPicklesSurvived(count: number, seed: number, watchdogMs: number): Promise<void> {
  const pickles = await corpus();
  const { reader, writer } = makePair('pipe');
  const program = child('hostile-pickles', [`--max-old-space-size=${HEAP_MIB}`]);
  const peer = spawnPeer(program, { args: [String(count), String(seed)], fds: [reader], watchdogMs });
  await writer.send(pickles.length);
  for (const bytes of pickles) await writer.sendBytes(bytes);
  writer.close();
  await peer.succeeded();
  const result = await report(peer);
  // With a sanitizer the memory says nothing.
  if (process.env['NODE_MULTIPROCESSING_SANITIZER'] === undefined)
    expect(result.memoryKiB, 'memory').to.be.below(MOST_MEMORY_KIB);
  expect(Number(result.read) + Number(result.refused)).to.equal(count);
  // Without many errors and many values, the pickles are not what they are meant to be.
  expect(result.read, 'read').to.be.greaterThan(count / 50);
  expect(result.refused, 'refused').to.be.greaterThan(count / 4);
}
