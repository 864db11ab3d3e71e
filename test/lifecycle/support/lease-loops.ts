// SPDX-License-Identifier: MIT
//
// The loops of the tests of queues with leases: short in the suite and long in the stress tests.
import { join } from 'node:path';

import { expect } from 'chai';
import { JoinableQueue, Process, type Connection } from 'node-multiprocessing';

import { packageRoot } from '../../helpers/environment.js';
import { within } from '../../helpers/index.js';
import type { Random } from '../../helpers/random.js';
import type * as roles from '../children/lease-roles.js';
import { resultsPipe } from './queue-loops.js';

const module = join(packageRoot, 'out', 'test', 'lifecycle', 'children', 'lease-roles.js');

/** Starts a process with a role and a pipe for its reports. */
export function startLeaseRole(
  target: keyof typeof roles,
  makeArgs: (results: Connection) => unknown[],
): { process: Process; results: Connection<never, unknown> } {
  const [results, theirs] = resultsPipe();
  const started = new Process({ module, target, args: makeArgs(theirs) });
  started.start();
  theirs.close();
  return { process: started, results };
}

export async function kill({ process: killed }: { process: Process }): Promise<void> {
  killed.kill();
  await killed.join();
}

function nameOf(producer: unknown, number: unknown): string {
  return `${String(producer)}.${String(number)}`;
}

interface Member {
  readonly process: Process;
  readonly results: Connection<never, unknown>;
  /** Resolves when the end of its reports was read. */
  readonly read: Promise<void>;
}

/**
 * Two producers and two consumers, one of which is killed at a random moment and replaced, again and again. In the end
 * every item that was accepted has been seen by a consumer, whole, and the queue is empty and usable.
 */
export async function expectNothingLost(kills: number, random: Random): Promise<void> {
  const maxsize = random.pick([0, 1, 10]);
  const most = random.pick([100, 3000, 100_000]);
  const queue = new JoinableQueue<roles.Numbered>({ leases: true, leaseBytes: 400_000, maxsize });
  const accepted = new Set<string>();
  const seen = new Set<string>();
  const torn: string[] = [];
  let producers = 0;

  const follow = async (results: Connection<never, unknown>, note: (report: unknown[]) => void): Promise<void> => {
    for await (const report of results) note(report as unknown[]);
  };
  const startProducer = (): Member => {
    const number = producers++;
    const started = startLeaseRole('produceForEver', (to) => [queue, to, number, most]);
    const read = follow(started.results, ([producer, item]) => accepted.add(nameOf(producer, item)));
    return { ...started, read };
  };
  const startConsumer = (): Member => {
    const started = startLeaseRole('consumeForEver', (to) => [queue, to]);
    const read = follow(started.results, ([producer, item, isWhole]) => {
      seen.add(nameOf(producer, item));
      if (isWhole !== true) torn.push(nameOf(producer, item));
    });
    return { ...started, read };
  };
  const end = async (member: Member): Promise<void> => {
    await kill(member);
    // A report that was cut off by the kill is none.
    await member.read.catch(() => undefined);
    member.results.close();
  };

  try {
    const slots = [startProducer, startProducer, startConsumer, startConsumer];
    const members = slots.map((start) => start());
    for (let i = 0; i < kills; i++) {
      const before = seen.size;
      const progress = async (): Promise<void> => {
        while (seen.size < before + 1 + random.below(20)) await new Promise((resolve) => setTimeout(resolve, 1));
      };
      await within(60_000, progress(), `progress before kill ${i} (maxsize ${maxsize}, up to ${most} bytes)`);
      const which = random.below(slots.length);
      await end(members[which] as Member);
      members[which] = (slots[which] as () => Member)();
    }
    for (const member of members.slice(0, 2)) await end(member);
    await within(60_000, queue.join(), 'join after the last producer was killed');
    for (const member of members.slice(2)) await end(member);
    expect([...accepted].filter((item) => !seen.has(item))).to.deep.equal([]);
    expect(torn).to.deep.equal([]);
    expect(queue.qsize()).to.equal(0);
    // All the memory is free again.
    queue.putNowait([0, 0, Buffer.alloc(399_000)]);
  } finally {
    queue.close();
  }
}
