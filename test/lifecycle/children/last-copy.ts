// SPDX-License-Identifier: MIT
//
// Children that receive from a Connection which they were given, and look how far they have read.
import { describe as describeObject, Process, type Connection, type Lock } from 'node-multiprocessing';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = Connection<any, any>;

/** Receives `count` numbers, then sends the last one and how many bytes were read beyond it. */
export async function receive(connection: Any, from: Any, count: number): Promise<void> {
  let last: unknown;
  for (let i = 0; i < count; i++) last = await from.recv();
  const { held } = describeObject(from) as { held?: string };
  await connection.send([last, Buffer.from(held ?? '', 'base64').length > 0]);
}

/** As `receive`, blocking. */
export function receiveSync(connection: Any, from: Any, count: number): void {
  let last: unknown;
  for (let i = 0; i < count; i++) last = from.recvSync();
  const { held } = describeObject(from) as { held?: string };
  connection.sendSync([last, Buffer.from(held ?? '', 'base64').length > 0]);
}

/** Receives one number, and gives the rest of the work to a child of its own. */
export async function passOn(connection: Any, from: Any, count: number): Promise<void> {
  await from.recv();
  const child = new Process({ module: import.meta.url, target: receive, args: [connection, from, count] });
  child.start();
  from.close();
  await connection.send('passed on');
  connection.close();
  await child.join();
}

/** As `receive`, for a Connection that arrives as a message. */
export async function receiveFromMessage(connection: Any, count: number): Promise<void> {
  await receive(connection, (await connection.recv()) as Any, count);
}

/** Receives under the lock until `last` has arrived, and sends all that it got. */
export async function share(connection: Any, from: Any, lock: Lock, last: number): Promise<void> {
  const got: number[] = [];
  for (;;) {
    await lock.acquire();
    const value = (await from.recv()) as number;
    lock.release();
    got.push(value);
    if (value >= last) break;
  }
  await connection.send(got);
}
