// SPDX-License-Identifier: MIT
//
// lock-supervisor <kills> <seed> <python>: three Node contenders and one in Python fight for an exposed lock. At random
// moments the supervisor kills and replaces one of those in Node. Prints the result.
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, Lock } from 'node-multiprocessing';

import { spawnPeer, endPeers, type Peer } from '../../helpers/peers.js';
import { child, pythonChild } from '../support/programs.js';
import { Random } from '../../helpers/random.js';

/** Longer than a waiter needs to notice a death, and than the others need for a turn on a busy machine. */
const STUCK_MS = 3000;

const [kills, seed, python] = process.argv.slice(2) as [string, string, string];
const random = new Random(Number(seed));
const folder = mkdtempSync(join(tmpdir(), 'mp-kills-'));
const path = join(folder, 'inside');
writeFileSync(path, Buffer.alloc(8));
const file = openSync(path, 'r');
const lock = new Lock();
const descriptor = JSON.stringify(describe(lock));
const result = { kills: 0, recovered: 0, forced: 0, entered: 0, unknownPids: 0, problems: [] as string[] };

function look(): { inside: number; entered: number } {
  const bytes = Buffer.alloc(8);
  readSync(file, bytes, 0, 8, 0);
  return { inside: bytes.readInt32LE(0), entered: bytes.readInt32LE(4) };
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Reads what a contender prints until it ends. */
async function listen(peer: Peer): Promise<void> {
  for (;;) {
    let line: string;
    try {
      line = await peer.line();
    } catch {
      return;
    }
    if (line.startsWith('two holders')) result.problems.push(line);
    if (line.startsWith('recovered')) result.recovered++;
    if (line === 'recovered 0') result.unknownPids++;
  }
}

async function start(index: number): Promise<Peer> {
  const isPython = index === 3;
  const program = isPython
    ? pythonChild({ version: 'newest', path: python }, 'lock-contender')
    : child('lock-contender', ['--max-semi-space-size=1']);
  const args = isPython ? [descriptor, path] : [index === 0 ? 'sync' : 'async', descriptor, path];
  const peer = spawnPeer(program, { args, watchdogMs: 600_000 });
  if ((await peer.line()) !== 'ready') throw new Error(peer.describe('is not ready'));
  void listen(peer);
  return peer;
}

let seen = { entered: -1, at: performance.now() };

/** Releases the lock of a contender that was killed before it could record itself. */
function relieve(): void {
  const { inside, entered } = look();
  if (entered !== seen.entered) {
    seen = { entered, at: performance.now() };
  } else if (performance.now() - seen.at > STUCK_MS && (inside === 0 || !isAlive(inside))) {
    if (lock.recover({ force: true })) result.forced++;
    seen = { entered, at: performance.now() };
  }
}

/** Resolves when a contender has entered since the call. */
async function untilProgress(): Promise<void> {
  const { entered } = look();
  while (look().entered === entered) {
    relieve();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const contenders = await Promise.all([0, 1, 2, 3].map(start));
while (result.kills < Number(kills)) {
  await new Promise((resolve) => setTimeout(resolve, random.below(40)));
  const index = random.below(3);
  const victim = contenders[index]!;
  if (victim.ended) {
    result.problems.push(victim.describe('ended by itself'));
    break;
  }
  victim.kill('SIGKILL');
  await victim.exit;
  result.kills++;
  contenders[index] = await start(index);
  // Every other kill comes while the death of the last holder is still being handled.
  if (random.below(2) === 0) await untilProgress();
}
await untilProgress();
await untilProgress();
if (contenders[3]!.ended) result.problems.push(contenders[3]!.describe('ended by itself'));
result.entered = look().entered;
for (const peer of contenders) peer.kill('SIGKILL');
await Promise.all(contenders.map((peer) => peer.exit));
await endPeers();
lock.close();
closeSync(file);
rmSync(folder, { recursive: true });
process.stdout.write(`${JSON.stringify(result)}\n`);
