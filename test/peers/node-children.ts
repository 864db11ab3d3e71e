// SPDX-License-Identifier: MIT
//
// Functions that the tests' Python programs run in Node children.
import {
  currentProcess,
  EOFError,
  isMainProcess,
  parentProcess,
  type Connection,
  type Queue,
} from 'node-multiprocessing';

export async function echo(conn: Connection, ...args: unknown[]): Promise<void> {
  await conn.send(args);
  const { name, daemon, authkey } = currentProcess();
  const parent = parentProcess();
  await conn.send({
    name,
    parent: parent?.pid,
    parentName: parent?.name,
    isMain: isMainProcess,
    daemon,
    authkey,
  });
}

export async function untilClosed(conn: Connection): Promise<void> {
  try {
    await conn.recv();
  } catch (error) {
    if (!(error instanceof EOFError)) throw error;
  }
}

export function seven(): void {
  process.exitCode = 7;
}

export function fails(): void {
  throw new Error('as it is meant to');
}

export async function busy(conn: Connection): Promise<never> {
  await conn.send(process.pid);
  for (;;);
}

/** Passes on what it gets, with its name, until it gets null. */
export async function relay(source: Queue, sink: Queue, name: string): Promise<void> {
  for (;;) {
    const item = await source.get();
    if (item === null) return;
    await sink.put([name, item]);
  }
}

/** Reports how the wait for an item ends. */
export async function brokenness(queue: Queue, sink: Queue): Promise<void> {
  const outcome = queue.get().then(
    () => 'got',
    (error: unknown) => (error as { code: string }).code,
  );
  await sink.put('waits');
  await sink.put(await outcome);
}
