// SPDX-License-Identifier: MIT
//
// The Node side of tests, with the modes and arguments of peer.py. NODE_TEST_MODE=sync makes it use the blocking
// methods.
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { Connection, InterruptedError, Pipe } from 'node-multiprocessing';

import { pattern, via, type AnyConnection, type Mode } from '../helpers/channels.js';

const [, , mode = '', ends = '', ...args] = process.argv;
const first = Connection.fromFd(3) as AnyConnection;
const reader = first;
const writer = ends === 'pipes' ? (Connection.fromFd(4) as AnyConnection) : first;
const how: Mode = process.env['NODE_TEST_MODE'] === 'sync' ? 'sync' : 'async';
const input = via(how, reader);
const output = via(how, writer);

// Written at once, since a blocking call may follow.
function say(line: unknown): void {
  writeSync(1, `${String(line)}\n`);
}

/** The name of the error that ended a loop of receives. */
async function untilEnd(step: () => Promise<void>): Promise<string> {
  for (;;) {
    try {
      await step();
    } catch (error) {
      return (error as Error).name;
    }
  }
}

const runs: Record<string, () => Promise<void>> = {
  async echo() {
    const end = await untilEnd(async () => {
      await output.sendBytes(await input.recvBytes());
    });
    if (end !== 'EOFError') throw new Error(`echo ended with ${end}`);
  },
  async sink() {
    say(
      await untilEnd(async () => {
        const message = await input.recvBytes();
        say(`${message.length} ${createHash('sha256').update(message).digest('hex')}`);
      }),
    );
  },
  async source() {
    for (const [seed, size] of args.entries()) await output.sendBytes(pattern(Number(size), seed));
  },
  async hold() {
    say('ready');
    readFileSync(0);
    await Promise.resolve();
  },
  async raw() {
    for await (const line of createInterface({ input: process.stdin })) {
      let bytes = Buffer.from(line, 'hex');
      while (bytes.length > 0) bytes = bytes.subarray(writeSync(writer.fileno(), bytes));
      say('ok');
    }
  },
  async poll() {
    say('ready');
    say((await input.poll(60_000)) ? 'True' : 'False');
  },
  async reset() {
    await input.poll(60_000);
  },
  async receive_handle() {
    for (let i = 0; i < Number(args[0] ?? 0); i++) openSync('/dev/null', 'r');
    const fd = await input.recvHandle();
    writeSync(fd, 'via Node');
    closeSync(fd);
    await output.sendBytes(Buffer.from('done'));
    await runs['echo']?.();
  },
  async send_handle() {
    const [reading, writing] = Pipe(false) as unknown as [AnyConnection, AnyConnection];
    await output.sendBytes(Buffer.from('before'));
    await output.sendHandle(reading.fileno());
    await output.sendBytes(Buffer.from('after'));
    writeSync(writing.fileno(), 'from Node');
    reading.close();
    writing.close();
  },
  async missing_handle() {
    const end = await untilEnd(async () => {
      await input.recvHandle();
    });
    say(end);
  },
  // A receive and a blocked send, each with a signal in the middle. A blocking call reports the interruption and is
  // then repeated, except for a send that has begun.
  async interrupted() {
    process.on('SIGUSR2', () => undefined);
    const insist = async (call: () => Promise<unknown>): Promise<unknown> => {
      for (;;) {
        try {
          return await call();
        } catch (error) {
          if (!(error instanceof InterruptedError)) throw error;
          say(`${error.code} ${error.begun}`);
          if (error.begun) return undefined;
        }
      }
    };
    say('ready');
    say(String(await insist(() => input.recvBytes())));
    await insist(() => output.sendBytes(pattern(1024 * 1024)));
  },
  async objects() {
    const end = await untilEnd(async () => {
      await output.send(await input.recv());
    });
    if (end !== 'EOFError') throw new Error(`objects ended with ${end}`);
  },
};

const run = runs[mode];
if (run === undefined) throw new Error(`unknown mode ${mode}`);
await run();
reader.close();
writer.close();
