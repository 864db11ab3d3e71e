// SPDX-License-Identifier: MIT
//
// More than ten million messages of mixed sizes between two processes, in every mode. Neither process may grow with their number.
import { readFileSync } from 'node:fs';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { freshSeed } from '../helpers/random.js';
import { track } from '../helpers/index.js';
import * as targets from '../peers/mixed-messages.js';
import { contents, Expected } from '../peers/mixed-messages.js';

const COUNT = 900_000;

/** Buffers that are not collected yet, and memory that is kept for the next large messages, are the largest part. */
const MOST_GROWTH = 96 * 2 ** 20;

type Reader = mp.Connection<unknown, unknown>;
type Receive = (reader: Reader, expected: Expected, meter: () => void) => Promise<void>;

function residentBytes(pid: number | 'self'): number {
  const [, kilobytes] = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) * 1024;
}

/** Compares the memory of both processes after a tenth of the messages with that from then on. */
class Growth {
  readonly #before: number[] = [];
  readonly #most = [0, 0];
  #next = COUNT / 10;

  constructor(
    readonly pids: readonly (number | 'self')[],
    readonly expected: Expected,
  ) {}

  readonly look = (): void => {
    if (this.expected.count < this.#next) return;
    this.#next += COUNT / 100;
    this.pids.forEach((pid, i) => {
      const bytes = residentBytes(pid);
      const before = (this.#before[i] ??= bytes);
      this.#most[i] = Math.max(this.#most[i]!, bytes - before);
    });
  };

  check(): void {
    expect(this.expected.count).to.equal(COUNT);
    expect(this.#most[0], 'growth of the receiver').to.be.below(MOST_GROWTH);
    expect(this.#most[1], 'growth of the sender').to.be.below(MOST_GROWTH);
  }
}

const recvBytes: Receive = async (reader, expected, look) => {
  while (expected.count < COUNT) {
    expected.check(await reader.recvBytes());
    look();
  }
};

const recvInto: Receive = async (reader, expected, look) => {
  const target = Buffer.alloc(1_000_000);
  while (expected.count < COUNT) {
    expected.check(target, await reader.recvBytesInto(target));
    look();
  }
};

const recvSync: Receive = async (reader, expected, look) => {
  while (expected.count < COUNT) {
    expected.check(reader.recvBytesSync());
    look();
    // The event loop releases what has been received.
    if (expected.count % 1000 === 0) await new Promise(setImmediate);
  }
};

const batchesOfBytes: Receive = async (reader, expected, look) => {
  for await (const batch of reader.batches(1000, { bytes: true })) {
    for (const bytes of batch) expected.check(bytes);
    look();
    if (expected.count === COUNT) return;
  }
};

function objects(content: keyof typeof contents): Receive {
  return async (reader, expected, look) => {
    for await (const value of reader) {
      expected.check(contents[content].bytes(value as never));
      look();
      if (expected.count === COUNT) return;
    }
  };
}

function many(content: keyof typeof contents): Receive {
  return async (reader, expected, look) => {
    while (expected.count < COUNT) {
      for (const value of await reader.recvMany(1000)) expected.check(contents[content].bytes(value as never));
      look();
    }
  };
}

interface Mode {
  readonly name: string;
  readonly duplex: boolean;
  readonly options: mp.ConnectionOptions;
  readonly target: 'sendBytes' | 'sendObjects' | 'sendSync';
  readonly content?: keyof typeof contents;
  readonly receive: Receive;
}

const accepted = { sends: 'accepted' } as const;

const MODES: readonly Mode[] = [
  { name: 'recvBytes', duplex: true, options: {}, target: 'sendBytes', receive: recvBytes },
  { name: 'recvBytesInto, accepted', duplex: true, options: accepted, target: 'sendBytes', receive: recvInto },
  { name: 'recvBytesSync, pipe', duplex: false, options: {}, target: 'sendSync', receive: recvSync },
  {
    name: 'batches of views, accepted, pipe',
    duplex: false,
    options: { ...accepted, views: true },
    target: 'sendBytes',
    receive: batchesOfBytes,
  },
  {
    name: 'batches of copies, accepted',
    duplex: true,
    options: accepted,
    target: 'sendBytes',
    receive: batchesOfBytes,
  },
  {
    name: 'iteration, structured',
    duplex: true,
    options: {},
    target: 'sendObjects',
    content: 'record',
    receive: objects('record'),
  },
  {
    name: 'recvMany, structured, accepted',
    duplex: false,
    options: accepted,
    target: 'sendObjects',
    content: 'record',
    receive: many('record'),
  },
  {
    name: 'iteration, pickle',
    duplex: true,
    options: { serialization: 'pickle' },
    target: 'sendObjects',
    content: 'record',
    receive: objects('record'),
  },
  {
    name: 'recvMany, json, not reading ahead',
    duplex: true,
    options: { serialization: 'json', readAhead: false },
    target: 'sendObjects',
    content: 'text',
    receive: many('text'),
  },
];

describe('Ten million messages of mixed sizes', function () {
  const seed = freshSeed();

  for (const { name, duplex, options, target, content, receive } of MODES) {
    it(`need no more memory the longer they come (${name}, SEED=${seed})`, async () => {
      const [reader, writer] = (duplex ? mp.Pipe(true, options) : mp.Pipe(false, options)) as [Reader, mp.Connection];
      track(reader);
      const args = [writer, COUNT, seed, ...(content === undefined ? [] : [content])];
      const module = new URL('../peers/mixed-messages.js', import.meta.url);
      const child = new mp.Process({ module, target: targets[target] as mp.Target, args });
      child.start();
      writer.close();
      const expected = new Expected(seed);
      const growth = new Growth(['self', child.pid!], expected);
      await receive(reader, expected, growth.look);
      growth.check();
      reader.close();
      await child.join();
    });
  }

  const queues = {
    Queue: () => new mp.Queue<unknown>(),
    'Queue with a limit': () => new mp.Queue<unknown>(500),
    'JoinableQueue with leases': () => new mp.JoinableQueue<unknown>({ maxsize: 500, leases: true }),
  };
  for (const [name, make] of Object.entries(queues)) {
    it(`need no more memory the longer they come (${name}, SEED=${seed})`, async () => {
      const queue = make();
      const [ours, theirs] = mp.Pipe();
      const module = new URL('../peers/mixed-messages.js', import.meta.url);
      const child = new mp.Process({ module, target: targets.putItems, args: [queue as never, COUNT, seed, theirs] });
      child.start();
      theirs.close();
      const expected = new Expected(seed);
      const growth = new Growth(['self', child.pid!], expected);
      while (expected.count < COUNT) {
        for (const item of await queue.getMany(1000)) {
          expected.check(contents.record.bytes(item as never));
          if (queue instanceof mp.JoinableQueue) await queue.taskDone();
        }
        growth.look();
      }
      growth.check();
      ours.close();
      await child.join();
      queue.close();
    });
  }
});
