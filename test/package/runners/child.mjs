// SPDX-License-Identifier: MIT
//
// What the tests of other runners start in a child.
import { JoinableQueue } from 'node-multiprocessing';

export async function putKind(queue) {
  await queue.put(queue instanceof JoinableQueue ? 'JoinableQueue' : 'an object of other classes');
}
