// SPDX-License-Identifier: MIT
import { expect } from 'chai';
import { Lock, Pipe, type Connection } from 'node-multiprocessing';

import { openFd, track, type AnyConnection } from '../../helpers/index.js';
import * as targets from '../children/process-targets.js';
import { startWith } from './processes.js';

/** The descriptors of one more child, which gets `siblings` besides the connection that it answers on. */
async function descriptorsOf(...rest: unknown[]): Promise<string[]> {
  const { child, connection } = startWith(targets.sendDescriptors as never, rest);
  const found = (await connection.recv()) as string[];
  await child.join();
  connection.close();
  // The runtime of a sanitizer opens libraries for a moment, to look for names in them.
  if (process.env['NODE_MULTIPROCESSING_SANITIZER'] === undefined) return found;
  return found.filter((descriptor) => !/\.so[.\d]*$/.test(descriptor));
}

/** The number of each kind. A name that contains a number of its own is counted without the number. */
function kinds(descriptors: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const descriptor of descriptors) {
    const kind = descriptor
      .replace(/^\d+ /, '')
      .replace(/\d+\]/, ']')
      .replace(/mp-\d+\/\w+/, 'mp');
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function more(before: readonly string[], after: readonly string[]): Record<string, number> {
  const counts = kinds(before);
  const found: Record<string, number> = {};
  for (const [kind, count] of kinds(after)) {
    const difference = count - (counts.get(kind) ?? 0);
    if (difference !== 0) found[kind] = difference;
  }
  return found;
}

/**
 * Compares a first child with a child of a parent that has `siblings`, `files` open files, Connections and locks. The
 * second child has nothing more than its arguments.
 */
export async function expectHygiene(siblings: number, files: number): Promise<{ inflation: number }> {
  const empty = await descriptorsOf();
  const running: { child: ReturnType<typeof startWith>['child']; connection: AnyConnection }[] = [];
  for (let i = 0; i < files; i++) openFd('/dev/null');
  const pairs = Array.from({ length: 10 }, () => Pipe() as unknown as [AnyConnection, AnyConnection]);
  for (const pair of pairs) pair.forEach(track);
  const lock = new Lock();
  for (let i = 0; i < siblings; i++) running.push(startWith(targets.untilTold, []));
  const crowded = await descriptorsOf();
  // The family's register is there only once the parent has a lock, which makes the child a member of the family.
  const register = Object.keys(more(empty, crowded));
  expect(register.every((kind) => kind === '/dev/shm/mp')).to.equal(true);
  const [reader, writer] = Pipe(false) as unknown as [Connection, Connection];
  const given = await descriptorsOf(reader, writer, [reader]);
  expect(more(crowded, given)).to.deep.equal({ 'pipe:[]': 2 });
  reader.close();
  writer.close();
  const after = await descriptorsOf();
  expect(more(crowded, after)).to.deep.equal({});
  for (const { connection } of running) await connection.recv();
  for (const { connection } of running) await connection.send('end');
  for (const { child } of running) expect(await child.join()).to.equal(true);
  lock.close();
  return { inflation: after.length - crowded.length };
}
