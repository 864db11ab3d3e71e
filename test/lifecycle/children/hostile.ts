// SPDX-License-Identifier: MIT
//
// hostile <count> <seed>: feeds `count` connections with bytes that no friendly peer sends, and receives from them in
// every way. Prints as JSON how often each error came, and how much memory was added. Any other error ends the process.
import { readdirSync, writeSync } from 'node:fs';

import { Pipe } from 'node-multiprocessing';

import { turns } from '../../helpers/assertions.js';
import { frame, header, type AnyConnection } from '../../helpers/channels.js';
import { Random } from '../../helpers/random.js';

const KNOWN = new Set([
  'ERR_MP_EOF',
  'ERR_MP_TRUNCATED',
  'ERR_MP_BAD_MESSAGE_LENGTH',
  'ERR_MP_UNPICKLING',
  'ERR_MP_NOT_READABLE',
  'ERR_MP_BUFFER_TOO_SHORT',
  'EBADMSG',
]);

const [countText, seedText] = process.argv.slice(2);
const random = new Random(Number(seedText));

/**
 * One piece of a stream: noise, a message, a message of noise, an impossible length, or a length without its message.
 */
const pieces: readonly (() => Buffer)[] = [
  () => random.bytes(random.below(2000)),
  () => frame(random.bytes(random.below(300))),
  () => frame(random.bytes(random.below(300)), true),
  () => frame(Buffer.concat([Buffer.from([0xff, random.below(20)]), random.bytes(random.below(100))])),
  () => frame(Buffer.from('{"a":1}')),
  () => frame(''),
  () => header(-random.below(2 ** 30) - 1),
  () => header(-(2 ** 31)),
  () => header(2 ** 31 - 1),
  () => header(random.below(2 ** 30)),
  () => header(BigInt(random.below(2 ** 30)) << 33n, true),
  () => header(0x7fffffffffffffffn, true),
  () => header(-1n, true),
  () => header(1n << 63n, true),
  () => header(2 ** 30, true).subarray(0, random.below(12)),
];

type Receive = (connection: AnyConnection) => unknown;

const ways: readonly Receive[] = [
  (c) => c.recv(),
  (c) => c.recvBytes(),
  (c) => c.recvBytes(random.below(200)),
  (c) => c.recvBytesInto(Buffer.alloc(random.below(200))),
  (c) => c.recvSync(),
  (c) => c.recvBytesSync(),
  (c) => c.recvBytesSync(random.below(200)),
  (c) => c.recvBytesIntoSync(new Uint16Array(random.below(100))),
  (c) => c.tryRecv() ?? c.recv(),
  (c) => c.tryRecvBytes() ?? c.recvBytes(),
  async (c) => ((await c.poll(null)) ? c.recv() : undefined),
  (c) => (c.pollSync(null) ? c.recvBytesSync() : undefined),
];

const errors = new Map<string, number>();

async function one(duplex: boolean): Promise<void> {
  const options = {
    readAhead: random.below(2) === 0,
    serialization: random.pick(['structured', 'json'] as const),
    ...(random.below(2) === 0 ? { maxMessageBytes: random.below(5000) } : {}),
  };
  const [reader, writer] = (duplex ? Pipe(true, options) : Pipe(false, options)) as [AnyConnection, AnyConnection];
  const fd = writer.fileno();
  let room = 30_000;
  for (let i = 1 + random.below(5); i > 0; i--) {
    const bytes = random.pick(pieces)();
    if (bytes.length > room) continue;
    room -= bytes.length;
    writeSync(fd, bytes);
    // A handle where a message is due.
    if (duplex && random.below(10) === 0) await writer.sendHandle(0);
  }
  const receive = random.pick(ways);
  // Some connections are received from while their stream is still open; the end comes later.
  const early =
    random.below(2) === 0 ? Promise.resolve(random.pick([(c) => c.recv()] as Receive[])(reader)) : undefined;
  early?.catch(() => undefined);
  writer.close();
  await early?.catch(note);
  // Undecodable messages and short buffers leave the stream intact. Every other error ends it.
  for (let i = 0; i < 1000; i++) {
    try {
      await receive(reader);
    } catch (error) {
      const code = note(error);
      if (code !== 'ERR_MP_UNPICKLING' && code !== 'ERR_MP_BUFFER_TOO_SHORT' && code !== 'EBADMSG') break;
    }
  }
  reader.close();
}

function note(error: unknown): string {
  const { code } = error as { code: string };
  if (!KNOWN.has(code)) throw new Error(`An error of another kind (seed ${random.seed})`, { cause: error });
  errors.set(code, (errors.get(code) ?? 0) + 1);
  return code;
}

function kibibytes(): number {
  return process.resourceUsage().maxRSS;
}

const count = Number(countText);
for (let i = 0; i < 50; i++) await one(i % 2 === 0);
const before = { memory: kibibytes(), descriptors: readdirSync('/proc/self/fd').length };
for (let i = 0; i < count; i++) await one(i % 2 === 0);
await turns();
const after = { memory: kibibytes(), descriptors: readdirSync('/proc/self/fd').length };
const result = {
  errors: Object.fromEntries(errors),
  memoryKiB: after.memory - before.memory,
  descriptors: after.descriptors - before.descriptors,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
