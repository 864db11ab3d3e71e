// SPDX-License-Identifier: MIT
//
// Functions that wait for events, conditions and queues, as those of test/peers/children.py.
import type * as mp from 'node-multiprocessing';

type Talk = mp.Connection;

export async function waitsForEvent(conn: Talk, event: mp.Event): Promise<void> {
  await conn.send('waiting');
  await conn.send(await event.wait());
}

export function waitsForEventSync(conn: Talk, event: mp.Event): void {
  conn.sendSync('waiting');
  conn.sendSync(event.waitSync());
}

export async function waitsForCondition(conn: Talk, condition: mp.Condition): Promise<void> {
  await condition.withLock(async () => {
    await conn.send('waiting');
    await conn.send(await condition.wait());
  });
}

export function waitsForConditionSync(conn: Talk, condition: mp.Condition): void {
  condition.acquireSync();
  conn.sendSync('waiting');
  conn.sendSync(condition.waitSync());
  condition.release();
}

export async function joins(conn: Talk, queue: mp.JoinableQueue): Promise<void> {
  await conn.send('waiting');
  await queue.join();
  await conn.send(true);
}

export function joinsSync(conn: Talk, queue: mp.JoinableQueue): void {
  conn.sendSync('waiting');
  queue.joinSync();
  conn.sendSync(true);
}

/** Sets and clears an event, again and again, until a message comes. */
export async function heart(conn: Talk, event: mp.Event): Promise<void> {
  while (!(await conn.poll(2))) {
    await event.set();
    await event.clear();
  }
}
