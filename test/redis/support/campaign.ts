// SPDX-License-Identifier: MIT
//
// Members of one queue over Redis that are killed at random moments, and an account of all that they have said.
import { expect } from 'chai';
import { RedisError, RedisJoinableQueue } from 'node-multiprocessing/redis';

import { nodePeer, packageRoot, pythonPeer, spawnPeer, within, type Peer, type Python } from '../../helpers/index.js';
import { withPrefix } from '../../helpers/hosts.js';
import type { Random } from '../../helpers/random.js';
import type { RedisServer } from './server.js';

/** What happens to Redis while members are killed. */
export type Outage = 'restart' | 'pause';

export interface CampaignOptions {
  readonly kills: number;
  /** Half of the members are of these Pythons, if there are any. They need redis-py. */
  readonly pythons?: readonly Python[];
  /** What happens to Redis, one after the other, spread over the kills. */
  readonly outages?: readonly Outage[];
  readonly pauseMs?: number;
}

/** How many members live at a time, of each role. */
const MEMBERS = 2;
const ROLES = ['consume', 'produce'] as const;
type Role = (typeof ROLES)[number];

/** So short that a member is killed although Redis is away. */
const LONGEST_LIFE_MS = 5000;

/** Calls until Redis answers. */
export async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A member that runs test/redis/children/member.ts, or the same in Python. */
export function startMember(python: Python | undefined, args: readonly string[], prefix: readonly string[] = []): Peer {
  const file = `${packageRoot}out/test/redis/children/member.js`;
  const program = python === undefined ? { ...nodePeer(''), args: [file] } : pythonPeer(python, 'redis_peer');
  return spawnPeer(withPrefix(prefix, program), { args, watchdogMs: 3_600_000 });
}

/** What members have said. */
export class Account {
  readonly tried = new Set<string>();
  readonly did = new Set<string>();
  /** How often each item was handed out. */
  readonly got = new Map<string, number>();
  readonly done = new Set<string>();
  /** How many attempts to put may have been made twice. */
  again = 0;
  /** How often a consumer was told that its lease had run out. */
  late = 0;

  note(line: string): void {
    const [verb, item = ''] = line.split(' ');
    if (verb === 'try') this.tried.add(item);
    else if (verb === 'did') this.did.add(item);
    else if (verb === 'got') this.got.set(item, (this.got.get(item) ?? 0) + 1);
    else if (verb === 'done') this.done.add(item);
    else if (verb === 'again') this.again++;
    else if (verb === 'late') this.late++;
    else throw new Error(`A member has said: ${line}`);
  }

  /** Notes what a member says until its end. Calls `onLine` for each line. */
  async follow(member: Peer, onLine: () => void = () => undefined): Promise<void> {
    for (;;) {
      const line = await member.line().catch(() => undefined);
      if (line === undefined) return;
      this.note(line);
      onLine();
    }
  }

  /** How many times items were handed out. */
  get handedOut(): number {
    return [...this.got.values()].reduce((sum, times) => sum + times, 0);
  }

  /**
   * Asserts that each item which a producer knows to be put was handed out, that none came from nowhere, and that the number
   * of those which came twice is explained by the leases that had run out, or by puts that were repeated.
   */
  check({ put, recoveries }: { readonly put: number; readonly recoveries: number }): void {
    const lost = [...this.did].filter((item) => !this.got.has(item));
    const strange = [...this.got.keys()].filter((item) => !this.tried.has(item));
    expect({ lost, strange }).to.deep.equal({ lost: [], strange: [] });
    // A producer that is killed in the middle of a put has tried, and says nothing more.
    expect(put, 'items in Redis').to.be.within(this.did.size, this.tried.size + this.again);
    // A consumer that is killed before it says that it has an item has not finished the item, whose lease then runs out.
    expect(this.handedOut, 'items that were handed out').to.be.within(put, put + recoveries);
  }
}

/** Kills consumers and producers, and asserts that the account is right. Returns it as a text. */
export async function killMembers(server: RedisServer, options: CampaignOptions, random: Random): Promise<string> {
  const { kills, pythons = [], outages = [], pauseMs = 10_000 } = options;
  const { client } = await server.connect();
  const name = `campaign ${random.below(1_000_000)}`;
  const queue = new RedisJoinableQueue<string>({
    client,
    name,
    leaseTime: 500,
    maxsize: 100,
    serialization: 'json',
  });
  await queue.qsize();
  const account = new Account();
  let members = 0;
  const start = (role: Role): Peer => {
    const python = random.below(2) === 0 || pythons.length === 0 ? undefined : random.pick(pythons);
    return startMember(python, [server.address, role, name, ...(role === 'produce' ? [`${++members}`] : [])]);
  };
  let left = kills;
  const oneLife = async (role: Role): Promise<void> => {
    const member = start(role);
    let lines = 1 + random.below(30);
    await new Promise<void>((resolve) => {
      const longest = setTimeout(resolve, LONGEST_LIFE_MS);
      const followed = account.follow(member, () => {
        if (--lines === 0) resolve();
      });
      void followed.then(resolve);
      void member.exit.finally(() => clearTimeout(longest)).catch(() => undefined);
    });
    // Somewhere in what it does next.
    await new Promise((resolve) => setTimeout(resolve, random.below(4)));
    if (member.ended) throw new Error(member.describe('has ended by itself'));
    member.kill();
    await member.exit;
    await account.follow(member);
  };
  const crew = ROLES.flatMap((role) =>
    Array.from({ length: MEMBERS }, async () => {
      while (left-- > 0) await oneLife(role);
    }),
  );
  const harm = async (): Promise<void> => {
    for (const [i, outage] of outages.entries()) {
      const at = kills - (kills * (i + 1)) / (outages.length + 1);
      while (left > at) await new Promise((resolve) => setTimeout(resolve, 50));
      if (outage === 'restart') {
        await server.end('SIGKILL');
        await server.start();
      } else {
        server.signal('SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        server.signal('SIGCONT');
      }
    }
  };
  await Promise.all([...crew, harm()]);
  const last = [undefined, ...pythons.slice(0, 1)].map((python) =>
    startMember(python, [server.address, 'consume', name]),
  );
  const heard = last.map((member) => account.follow(member));
  await within(
    120_000,
    untilAnswered(() => queue.join()),
    'join',
  );
  const stats = await untilAnswered(() => queue.stats());
  await untilAnswered(() => queue.shutdown());
  await Promise.all([...heard, ...last.map((member) => member.succeeded())]);
  const { unfinished, leased, depth } = stats;
  expect({ unfinished, leased, depth }).to.deep.equal({ unfinished: 0, leased: 0, depth: 0 });
  account.check(stats);
  await queue.destroy();
  await queue.close();
  const { did, handedOut, again, late } = account;
  return (
    `${kills} kills: ${did.size} items known to be put, ${stats.put} put, ${handedOut} handed out, ` +
    `${stats.recoveries} leases run out, ${again} puts uncertain, ${late} ends too late`
  );
}
