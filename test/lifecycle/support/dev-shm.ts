// SPDX-License-Identifier: MIT
//
// Programs that make semaphores of every class where that must fail, and print the errors.
import { expect } from 'chai';

import { packageRoot, spawnPeer, type Peer, type Program } from '../../helpers/index.js';
import { report, type Report } from './programs.js';

/** The beginning of all programs. */
const PRELUDE = `
import fs from 'node:fs';
import * as mp from 'node-multiprocessing';

const NAME = '/nmp-test-dev-shm';
const folder = '/dev/shm/mp-' + process.geteuid();
const makers = {
  Lock: () => new mp.Lock(),
  RLock: () => new mp.RLock(),
  Semaphore: () => new mp.Semaphore(2),
  BoundedSemaphore: () => new mp.BoundedSemaphore(2),
  Condition: () => new mp.Condition(),
  Event: () => new mp.Event(),
  NamedSemaphore: () => {
    const semaphore = mp.NamedSemaphore.create(NAME);
    semaphore.unlink();
    return semaphore;
  },
};

function failure(action) {
  try {
    action().close();
    return 'succeeded';
  } catch ({ code, syscall, message }) {
    return { code, syscall, message };
  }
}
const failures = () => Object.fromEntries(Object.entries(makers).map(([name, make]) => [name, failure(make)]));
const print = (value) => console.log(JSON.stringify(value));
const list = (path) => (fs.existsSync(path) ? fs.readdirSync(path) : []);
// Not the object that stands for the folder.
const left = () => [...list('/dev/shm').filter((name) => name.startsWith('sem.')), ...list(folder)].sort();
function use(lock) {
  if (!lock.acquireSync({ timeout: 5000 })) throw new Error('The lock is taken');
  lock.release();
}
`;

/** The names of the classes that make semaphores. */
export const classes = ['Lock', 'RLock', 'Semaphore', 'BoundedSemaphore', 'Condition', 'Event', 'NamedSemaphore'];

export function node(body: string): string[] {
  // A sanitizer's runtime is for Node alone.
  const preload = `LD_PRELOAD=${process.env['LD_PRELOAD'] ?? ''}`;
  return ['env', preload, process.execPath, '--input-type=module', '-e', PRELUDE + body];
}

/** Runs shell commands, and then the program in what they have left. */
export function spawnAfter(setup: string, command: readonly string[], prefix: readonly string[] = []): Peer {
  const [name, ...args] = [...prefix, 'sh', '-ec', `${setup}\nexec "$@"`, 'sh', ...command];
  const program: Program = { language: 'c', label: 'node elsewhere', command: name!, args };
  return spawnPeer(program, { cwd: packageRoot });
}

/** The output of a program, which must succeed. */
export async function printed(peer: Peer): Promise<Report> {
  const result = await report(peer);
  await peer.succeeded();
  // Without a free descriptor UBSan cannot look at memory, and reports every object in it.
  if (process.env['NODE_MULTIPROCESSING_SANITIZER'] === undefined) expect(peer.stderr).to.equal('');
  return result;
}

/** Asserts that each class has failed with this code and with a message that says what to do about it. */
export function allFailed(found: Report, names: readonly string[], code: string, hint: string): void {
  for (const name of names) {
    expect(found[name], name).to.include({ code, syscall: 'sem_open' });
    // For these errors the user needs more than the code.
    expect(found[name].message, name).to.include(hint);
  }
}

export function allSucceeded(found: Report, names: readonly string[]): void {
  for (const name of names) expect(found[name], name).to.equal('succeeded');
}
