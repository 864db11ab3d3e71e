// SPDX-License-Identifier: MIT
//
// A child loads the modules of what it meets: with a Connection alone it needs no locks, queues and pickles.
import { expect } from 'chai';
import { Lock, Pipe, Process, Queue, type Connection } from 'node-multiprocessing';

import { track } from '../helpers/index.js';
import type { tell } from './children/process-lazy-loading.js';

const module = new URL('./children/process-lazy-loading.js', import.meta.url).href;

type Tell = typeof tell;
type Ours = Connection<Queue<string> | null, string[]>;

function pipe(serialization?: 'pickle'): [Ours, Parameters<Tell>[0]] {
  const [a, b] = Pipe(true, { serialization });
  return [track(a) as unknown as Ours, track(b) as unknown as Parameters<Tell>[0]];
}

/** Starts the child with more arguments than it uses. */
function start(theirs: Parameters<Tell>[0], ...others: unknown[]): Process {
  const child = new Process({ module, target: 'tell', args: [theirs, ...others] });
  child.start();
  theirs.close();
  return child;
}

describe('Modules that a child needs only for some objects', () => {
  it('are not loaded by a child with a Connection only', async () => {
    const [ours, theirs] = pipe();
    const child = start(theirs);
    expect(await ours.recv()).to.deep.equal([]);
    await ours.send(null);
    await child.join();
  });

  it('are loaded for the objects among the arguments', async () => {
    using lock = new Lock();
    const [ours, theirs] = pipe();
    const child = start(theirs, [lock]);
    expect(await ours.recv()).to.deep.equal(['synchronize/rebuild']);
    await ours.send(null);
    await child.join();
  });

  it('are loaded for the format of a Connection', async () => {
    const [ours, theirs] = pipe('pickle');
    const child = start(theirs);
    expect(await ours.recv()).to.deep.equal(['python/pickling']);
    await (ours as unknown as Connection<null, unknown>).send(null);
    await child.join();
  });

  it('are loaded when such an object arrives in a message, in the middle of the run', async () => {
    const queue = new Queue<string>();
    const [ours, theirs] = pipe();
    const child = start(theirs);
    expect(await ours.recv()).to.deep.equal([]);
    await ours.send(queue);
    expect(await queue.get()).to.equal('from the child');
    expect((await ours.recv()).sort()).to.include.members(['queues/rebuild']);
    await ours.send(null);
    await child.join();
    queue.close();
  });
});
