// SPDX-License-Identifier: MIT
//
// Targets of Processes that look at their arguments.
import { Connection, Lock, type Condition, type RLock } from 'node-multiprocessing';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = Connection<any, any>;

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'object' ? value.constructor.name : typeof value;
}

/** The types of the values, and whether the last two are one object, as they were. */
export async function shapeOf(connection: Any, values: unknown[]): Promise<void> {
  const [cyclic, shared] = values.slice(-2) as [Record<string, unknown>, object];
  const map = values.find((value) => value instanceof Map) as Map<object, unknown>;
  await connection.send([
    values.map(kindOf),
    cyclic['itself'] === cyclic,
    cyclic['shared'] === shared && map.has(shared),
  ]);
}

/** Reports what both ends can do, and sends on what it receives. */
export async function forward(connection: Any, from: Any, to: Any): Promise<void> {
  await connection.send([from, to].map(({ readable, writable }) => [readable, writable]));
  for await (const value of from) await to.send(value);
}

export async function inside(
  connection: Any,
  value: { map: Map<unknown, unknown>; set: Set<unknown>; list: unknown[][] },
  job: { connection: Any },
  cyclic: unknown[],
): Promise<void> {
  const lock = value.map.get('lock');
  await connection.send([
    lock instanceof Lock,
    value.map.get(lock) === 'lock',
    value.list[0]?.[0] === lock,
    value.set.has(job.connection),
    job.connection instanceof Connection,
    cyclic[0] === job.connection,
    cyclic[1] === cyclic,
  ]);
  await (lock as Lock).withLock(() => job.connection.send('through the field'));
}

export async function conditions(
  connection: Any,
  first: Condition,
  lock: unknown,
  second: Condition,
  own: Condition,
): Promise<void> {
  // Only this package uses the property.
  const [ofFirst, ofSecond, ofOwn] = [first, second, own].map(
    (condition) => (condition as unknown as { lock: RLock }).lock,
  );
  await first.acquire();
  const value = ofSecond?.value;
  first.release();
  await connection.send([ofFirst === lock, ofSecond === lock, ofOwn !== lock, value === 0]);
}

export async function nameOf(connection: Any, lock: Lock): Promise<void> {
  await connection.send(lock.name);
  await connection.recv();
  await lock.withLock(() => connection.send('acquired'));
}

export async function readAll(connection: Any, from: Any): Promise<void> {
  const values: unknown[] = [];
  for await (const value of from) values.push(value);
  await connection.send(values);
}

/** Receives from the two in turn. */
export async function alternate(connection: Any, first: Any, second: Any): Promise<void> {
  await connection.send([await second.recv(), await first.recv(), await second.recv()]);
}

export async function sizes(connection: Any, big: Uint8Array, [part]: Uint8Array[]): Promise<void> {
  await connection.send([big.length, Buffer.from(part!).toString()]);
}

export async function sendNumbers(connection: Any, connections: Any[]): Promise<void> {
  await connection.send(connections.length);
  await Promise.all(connections.map((each, i) => each.send(i)));
}

export async function bytesOnly(connection: Any, theirs: Any): Promise<void> {
  await theirs.sendBytes(Buffer.from('bytes'));
  await connection.send(await theirs.send({}).then(String, (error: unknown) => (error as { code: string }).code));
}
