// SPDX-License-Identifier: MIT
//
// Targets for test/stress/mixed-messages.test.ts: sends and receives messages of mixed sizes in every mode.
import type { Connection, Queue } from 'node-multiprocessing';

import { Random } from '../helpers/random.js';

const LARGEST = 1_000_000;

/** Most messages are small, as in real programs: 1.7 kB on average. */
export function sizeOf(random: Random): number {
  const kind = random.below(1000);
  if (kind < 900) return 10 + random.below(190);
  if (kind < 990) return 1000 + random.below(7000);
  if (kind < 999) return 16_000 + random.below(84_000);
  return 300_000 + random.below(LARGEST - 300_000);
}

/** The content of a message, which JSON takes as it is. The first and the last byte say which it is. */
const source = Buffer.alloc(LARGEST, 'x');

function message(random: Random, number: number): Buffer {
  const bytes = source.subarray(0, sizeOf(random));
  bytes[0] = number & 0xff;
  bytes[bytes.length - 1] = number & 0xff;
  return bytes;
}

/** Checks what arrives against what the same seed gives the sender. */
export class Expected {
  readonly #random: Random;
  count = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  check(bytes: Uint8Array, length = bytes.length): void {
    const size = sizeOf(this.#random);
    const number = this.count++ & 0xff;
    if (length === size && bytes[0] === number && bytes[size - 1] === number) return;
    throw new Error(`message ${this.count - 1} has ${length} bytes instead of ${size}, or not its content`);
  }
}

type Sent = Buffer | { readonly id: number; readonly bytes: Buffer } | { readonly id: number; readonly text: string };

/** What a mode sends, and how its receiver finds the bytes in it again. */
interface Content {
  of(bytes: Buffer, number: number): Sent;
  bytes(value: Sent): Uint8Array;
}

export const contents: Record<'bytes' | 'record' | 'text', Content> = {
  bytes: { of: (bytes) => bytes, bytes: (value) => value as Buffer },
  record: { of: (bytes, id) => ({ id, bytes }), bytes: (value) => (value as { bytes: Buffer }).bytes },
  text: {
    of: (bytes, id) => ({ id, text: bytes.toString('latin1') }),
    bytes: (value) => Buffer.from((value as { text: string }).text, 'latin1'),
  },
};

/** The sends of one turn, none of which is awaited by itself. */
const GROUP = 200;

async function inGroups(count: number, seed: number, send: (bytes: Buffer, number: number) => unknown): Promise<void> {
  const random = new Random(seed);
  for (let sent = 0; sent < count;) {
    const group: unknown[] = [];
    // Objects are encoded in the call, so the next message may have the same memory.
    for (let i = 0; i < GROUP && sent < count; i++, sent++) group.push(send(message(random, sent), sent));
    await Promise.all(group);
  }
}

/** Sends bytes, without framing by a serialisation. */
export async function sendBytes(connection: Connection, count: number, seed: number): Promise<void> {
  const random = new Random(seed);
  for (let sent = 0; sent < count; sent++) await connection.sendBytes(message(random, sent));
  await finish(connection);
}

/** Sends objects, many in a turn. */
export async function sendObjects(
  connection: Connection,
  count: number,
  seed: number,
  content: keyof typeof contents,
): Promise<void> {
  await inGroups(count, seed, (bytes, number) => connection.send(contents[content].of(bytes, number)));
  await finish(connection);
}

/** Sends by blocking calls. */
export async function sendSync(connection: Connection, count: number, seed: number): Promise<void> {
  const random = new Random(seed);
  for (let sent = 0; sent < count; sent++) connection.sendBytesSync(message(random, sent));
  await finish(connection);
}

/** Waits until the other end is closed, so that it can look at this process. */
async function finish(connection: Connection): Promise<void> {
  await connection.flush();
  await connection.recv().catch(() => undefined);
}

/** Puts items, many in a turn. */
export async function putItems(queue: Queue<Sent>, count: number, seed: number, held: Connection): Promise<void> {
  await inGroups(count, seed, (bytes, number) => queue.put(contents.record.of(bytes, number)));
  await held.recv().catch(() => undefined);
}
