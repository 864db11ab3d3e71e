// SPDX-License-Identifier: MIT
//
// Items through a queue: `queues.js <value> <sides> structured|json single|many <warm-up ms> <measured ms>`, with `sides` producers
// and as many consumers, all in processes of their own. In each round every producer puts a number of items and then a
// sentinel, and each consumer gets items until it meets a sentinel. The round is over when the last consumer has met
// its sentinel.
import * as mp from 'node-multiprocessing';

import { valueOf } from '../peers/values.js';
import { report, sample, timesFrom } from '../sampling.js';

const rounds: Record<string, number> = { 'bytes-64': 4000, record: 4000, 'bytes-1m': 40 };

type Peer = mp.Connection<string, string>;

export async function produce(queue: mp.Queue, control: Peer, name: string, count: number): Promise<void> {
  const value = valueOf(name);
  await control.send('ready');
  while ((await control.recv()) === 'go') {
    for (let i = 0; i < count; i++) await queue.put(value);
    await queue.put(null);
  }
}

export async function consume(queue: mp.Queue, control: Peer, how: string): Promise<void> {
  await control.send('ready');
  while ((await control.recv()) === 'go') {
    if (how === 'many') while ((await queue.getMany(500)).at(-1) !== null);
    else while ((await queue.get()) !== null);
    await control.send('done');
  }
}

async function main([name = '', sidesText, format, how, ...times]: string[]): Promise<void> {
  const sides = Number(sidesText);
  const count = (rounds[name] ?? 1) / sides;
  const queue = new mp.Queue({ serialization: format as 'structured' | 'json' });
  const start = (target: string, ...args: unknown[]): Peer => {
    const [ours, theirs] = mp.Pipe();
    new mp.Process({ module: import.meta.url, target, args: [queue, theirs, ...args], daemon: true }).start();
    theirs.close();
    return ours as unknown as Peer;
  };
  const producers = Array.from({ length: sides }, () => start('produce', name, count));
  const consumers = Array.from({ length: sides }, () => start('consume', how));
  for (const peer of [...producers, ...consumers]) await peer.recv();
  const round = async (): Promise<void> => {
    for (const peer of [...consumers, ...producers]) peer.sendSync('go');
    await Promise.all(consumers.map((peer) => peer.recv()));
  };
  report(await sample(timesFrom(times[0], times[1]), 1, round, { least: 3, operations: sides * count }));
  process.exit();
}

if (mp.isMainProcess) await main(process.argv.slice(2));
