// SPDX-License-Identifier: MIT
//
// hostile-pickles <count> <seed>: makes hostile pickles of those that arrive on descriptor 3, reads them, and reports
// the outcomes.
import { Connection, NotSupported, pickle, PicklingError, UnpicklingError } from 'node-multiprocessing';

import { hostilePickle } from '../support/hostile-pickles.js';
import { Random } from '../../helpers/random.js';

const [count, seed] = process.argv.slice(2).map(Number) as [number, number];
const input = Connection.fromFd(3);
const corpus: Buffer[] = [];
for (let i = input.recvSync() as number; i > 0; i--) corpus.push(input.recvBytesSync());
input.close();

class Registered {
  field: unknown;
}
pickle.register({ module: 'app', name: 'Registered', class: Registered });

const result = { read: 0, refused: 0, unwritten: 0 };
const random = new Random(seed);
for (let i = 0; i < count; i++) {
  const bytes = hostilePickle(random, corpus);
  let value: unknown;
  try {
    value = pickle.loads(bytes, { unknown: i % 4 === 0 ? 'opaque' : 'error' });
    result.read++;
  } catch (error) {
    if (!(error instanceof UnpicklingError)) {
      throw new Error(`Pickle ${i} of seed ${seed}, ${bytes.toString('hex')}, gave another error`, { cause: error });
    }
    result.refused++;
    continue;
  }
  // A value that was read can be written, or fails with a reason.
  try {
    pickle.loads(pickle.dumps(value), { unknown: 'opaque' });
  } catch (error) {
    const typed = error instanceof PicklingError || error instanceof NotSupported || error instanceof UnpicklingError;
    if (!typed)
      throw new Error(`Pickle ${i} of seed ${seed}, ${bytes.toString('hex')}, cannot be written`, { cause: error });
    result.unwritten++;
  }
}
const memoryKiB = process.resourceUsage().maxRSS;
process.stdout.write(`${JSON.stringify({ ...result, memoryKiB })}\n`);
