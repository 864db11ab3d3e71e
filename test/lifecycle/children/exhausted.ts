// SPDX-License-Identifier: MIT
//
// exhausted <case>: runs out of descriptors, under a low limit that the test sets. Prints the findings as JSON.
import { closeSync, openSync, readdirSync } from 'node:fs';

import { native } from '#lib/native/addon.js';
import type { Connection } from 'node-multiprocessing';
import { Pipe, Pool, wait, type BrakeEvent } from 'node-multiprocessing';

import { turns } from '../../helpers/assertions.js';
import { ioMethods } from '../../helpers/channels.js';

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Opens files until there is no descriptor left. */
function exhaust(): number[] {
  const fds: number[] = [];
  try {
    for (;;) fds.push(openSync('/dev/null', 'r'));
  } catch {
    return fds;
  }
}

function failure(action: () => unknown): unknown {
  try {
    action();
    return 'succeeded';
  } catch (error) {
    const { code, errno, syscall } = error as NodeJS.ErrnoException;
    return { code, errno, syscall };
  }
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return 'succeeded';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

/** Makes a round trip, which shows that Connections work. */
async function exchange(): Promise<unknown> {
  const [near, far] = Pipe<string>();
  const received = near.recv();
  await far.send('works');
  const value = await received;
  near.close();
  far.close();
  return value;
}

const cases: Record<string, () => Promise<unknown>> = {
  /** Makes pairs until no descriptor is left, and again after all were given back. */
  async pipes() {
    await exchange();
    const before = descriptors();
    const errors: unknown[] = [];
    for (const duplex of [true, false]) {
      const pairs: (readonly Connection<never, never>[])[] = [];
      let error: unknown;
      while (error === undefined) {
        const failed = failure(() => pairs.push(duplex ? Pipe<never>(true) : Pipe<never>(false)));
        if (failed !== 'succeeded') error = failed;
      }
      errors.push(error);
      for (const pair of pairs) for (const end of pair) end.close();
      await turns();
    }
    return { errors, left: descriptors() - before, after: await exchange() };
  },

  /** With only one descriptor left, a pair cannot be made, and that descriptor is not lost. */
  async oneLeft() {
    await exchange();
    const fds = exhaust();
    closeSync(fds.pop() as number);
    const errors = Array.from({ length: 10 }, () => failure(() => Pipe()));
    const last = openSync('/dev/null', 'r');
    for (const fd of [...fds, last]) closeSync(fd);
    return {
      errors: new Set(errors.map((error) => JSON.stringify(error))).size,
      first: errors[0],
      after: await exchange(),
    };
  },

  /** The very first use fails in the middle of starting the poller. */
  async first() {
    const results: unknown[] = [];
    const fds = exhaust();
    // With each further descriptor the start gets one step further.
    for (let spare = 0; spare < 5; spare++) {
      results.push((failure(() => Pipe()) as { code?: string }).code ?? 'succeeded');
      closeSync(fds.pop() as number);
    }
    for (const fd of fds) closeSync(fd);
    await turns();
    return { results, after: await exchange(), again: await exchange() };
  },

  /** Open connections go on working, and calls that need a descriptor fail with EMFILE. */
  async others() {
    const [near, far] = Pipe<string>();
    const [idle] = Pipe<string>();
    const [sender, unhurried] = Pipe<string>(true, { readAhead: false });
    await Promise.all([near.sendHandle(0), near.sendHandle(0), sender.sendHandle(0)]);
    const fds = exhaust();
    const results = {
      wait: await failureOf(wait([0, idle], 1000)),
      sendHandle: await failureOf(near.sendHandle(0)),
      recvHandle: [
        await failureOf(far.recvHandle()),
        (failure(() => far.recvHandleSync()) as { code?: string }).code,
        await failureOf(unhurried.recvHandle()),
      ],
      message: await (async () => {
        const received = far.recv();
        await near.send('a message');
        return received;
      })(),
      dup: failure(() => {
        near.dup().close();
      }),
    };
    for (const fd of fds) closeSync(fd);
    return { ...results, after: await exchange() };
  },

  /** Reopening needs a descriptor of its own. Without one, the next I/O method is used. */
  async reopen() {
    native.configure(ioMethods.indexOf('reopen'), false);
    const [reader, writer] = Pipe<string>(false);
    const fds = exhaust();
    const received = reader.recv();
    await writer.send('a message');
    const value = await received;
    for (const fd of fds) closeSync(fd);
    return { value, after: await exchange() };
  },

  /** A pool, before there is anything else of this package and after that. */
  async pool() {
    const before = await taskWithoutDescriptors();
    const after = await exchange();
    return { before, after, value: await taskWithoutDescriptors() };
  },
};

/** A pool without a worker gets a task while no descriptor is left, until it has tried to start one six times. */
async function taskWithoutDescriptors(): Promise<unknown> {
  const module = new URL('./pool-functions.js', import.meta.url);
  const pool = new Pool({ module, target: 'add', processes: 1, minProcesses: 0 });
  const fds = exhaust();
  const sum = pool.apply([1, 2]);
  const tried = new Promise<void>((resolve) => {
    pool.on('brake', ({ deaths }: BrakeEvent) => {
      if (deaths === 6) resolve();
    });
  });
  await Promise.race([tried, sum]);
  for (const fd of fds) closeSync(fd);
  const value = await sum;
  await pool.close();
  return value;
}

const result = await cases[process.argv[2] as string]?.();
process.stdout.write(`${JSON.stringify(result)}\n`);
