// SPDX-License-Identifier: MIT
//
// The functions of shared_memory_peer.py, for Node.
import * as mp from 'node-multiprocessing';

type Conn = mp.Connection;

const AFTER = [24234, -4.25, 234, 2 ** 34, Buffer.from('y'), 'b'];

export async function setValues(values: mp.RawValue[], conn: Conn): Promise<void> {
  values.forEach((value, i) => (value.value = AFTER[i] as never));
  await conn.send(values.map((value) => value.constructor.name));
}

export async function addUp(array: mp.RawArray<'i'>, conn: Conn): Promise<void> {
  for (let i = 1; i < array.length; i++) array.set(i, array.get(i) + array.get(i - 1));
  await conn.send(array instanceof mp.Array ? 'Array' : 'RawArray');
}

export async function double(
  x: mp.Value<'i'>,
  y: mp.Value<'d'>,
  array: mp.Array<'d'>,
  string: mp.Array<'c'>,
  conn: Conn,
): Promise<void> {
  x.value *= 2;
  y.value *= 2;
  array.assign(array.slice().map((value) => value * 2));
  const text = Buffer.from(string.view()).toString().replace(/\0+$/, '');
  string.view().write(text + text);
  await conn.send('doubled');
}

export async function increment(value: mp.Value<'i'>, times: number, conn: Conn): Promise<void> {
  for (let i = 0; i < times; i++) await value.withLock(() => value.value++);
  await conn.send('done');
}

export async function exchange(shm: mp.SharedMemory, conn: Conn): Promise<void> {
  await conn.send([shm.name, shm.size, shm.read(0, 5)]);
  shm.write(Buffer.from('howdy'));
  shm.buf[shm.size - 1] = 9;
  await conn.send('written');
}

export async function changeList(items: mp.ShareableList, conn: Conn): Promise<void> {
  await conn.send([items.constructor.name, [...items]]);
  items.set(0, 'x');
  items.set(2, null);
  items.set(items.length - 1, 42);
  try {
    items.set(1, 'too long for this item');
  } catch (error) {
    if (error instanceof RangeError) await conn.send('refused');
  }
}

export async function passBarrier(barrier: mp.Barrier, times: number, conn: Conn): Promise<void> {
  for (let i = 0; i < times; i++) await conn.send(await barrier.wait());
}

export async function breakBarrier(barrier: mp.Barrier, how: 'wait' | 'abort' | 'reset', conn: Conn): Promise<void> {
  await conn.send([barrier.parties, barrier.nWaiting, barrier.broken]);
  await conn.recv();
  try {
    await barrier[how]();
    await conn.send('done');
  } catch (error) {
    if (error instanceof mp.BrokenBarrier) await conn.send('broken');
  }
}

export async function attach(name: string, conn: Conn): Promise<void> {
  using shm = new mp.SharedMemory({ name });
  await conn.send(shm.read(0, 5));
}

export async function make(conn: Conn): Promise<void> {
  using shm = new mp.SharedMemory({ create: true, size: 100 });
  shm.write(Buffer.from('hello'));
  await conn.send(shm.name);
  await conn.recv();
  shm.unlink();
  await conn.send('unlinked');
}

/** Gets a block that exists, and one that does not any more. */
export async function openAll(conn: Conn): Promise<void> {
  using shm = (await conn.recv()) as mp.SharedMemory;
  const begin = shm.read(0, 5);
  shm.buf[0] = 1;
  await conn.send(begin);
  const error = await conn.recv().catch((failure: unknown) => failure);
  if (error instanceof mp.UnpicklingError) await conn.send('dead');
}

/** Makes a block, and is killed with it. */
export async function makeAndStay(conn: Conn): Promise<void> {
  const shm = new mp.SharedMemory({ create: true, size: 100 });
  await conn.send(shm.name);
  await conn.recv();
}
