// SPDX-License-Identifier: MIT
//
// What travels in the arguments of a Process, and how.
import { expect } from 'chai';
import {
  attach,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  Pipe,
  Process,
  RLock,
  Semaphore,
  type Connection,
} from 'node-multiprocessing';

import { header, rejects, throws, track, writeRaw, type AnyConnection } from '../helpers/index.js';
import * as targets from './children/process-targets.js';
import * as argumentTargets from './children/process-arguments.js';
import { startWith } from './support/processes.js';

const module = new URL('./children/process-arguments.js', import.meta.url).href;

function pipe(duplex = true): [AnyConnection, AnyConnection] {
  const [a, b] = (duplex ? Pipe() : Pipe(false)) as unknown as [AnyConnection, AnyConnection];
  return [track(a), track(b)];
}

describe('Arguments of a Process', () => {
  it('are cloned: with all that structured clone keeps, with undefined, and with shared references', async () => {
    const shared = { list: [1, 2] };
    const cyclic: Record<string, unknown> = { shared };
    cyclic['itself'] = cyclic;
    const values = [undefined, null, 1n, new Date(5), /x/g, new Map([[shared, new Set([1])]]), Buffer.from('bytes')];
    const { child, connection } = startWith(argumentTargets.shapeOf, [[...values, cyclic, shared]], { module });
    expect(await connection.recv()).to.deep.equal([
      ['undefined', 'null', 'bigint', 'Date', 'RegExp', 'Map', 'Buffer', 'Object', 'Object'],
      true,
      true,
    ]);
    await child.join();
  });

  it('_TestConnection.test_spawn_close: echo although the parent closes its copy at once', async () => {
    const { child, connection } = startWith(targets.echo, []);
    await connection.send('hello');
    expect(await connection.recv()).to.equal('hello');
    connection.close();
    await child.join();
  });

  it('_TestPicklingConnections.test_access: keep ends that only receive or only send', async () => {
    const [reader, writer] = pipe(false);
    const [otherReader, otherWriter] = pipe(false);
    const { child, connection } = startWith(argumentTargets.forward, [reader, otherWriter], { module });
    reader.close();
    otherWriter.close();
    expect(await connection.recv()).to.deep.equal([
      [true, false],
      [false, true],
    ]);
    await writer.send({ a: 1 });
    expect(await otherReader.recv()).to.deep.equal({ a: 1 });
    writer.close();
    await rejects(otherReader.recv(), { code: 'ERR_MP_EOF' });
    await child.join();
  });

  it('may contain objects in Maps, Sets, arrays and fields of classes, and keep shared references', async () => {
    const [a, b] = pipe();
    const lock = new Lock();
    class Job {
      readonly connection = b;
      readonly #secret = 1;
      get secret(): number {
        return this.#secret;
      }
    }
    const value = {
      map: new Map<unknown, unknown>([
        ['lock', lock],
        [lock, 'lock'],
      ]),
      set: new Set([b]),
      list: [[lock]],
    };
    const cyclic: unknown[] = [b];
    cyclic.push(cyclic);
    const { child, connection } = startWith(argumentTargets.inside, [value, new Job(), cyclic], { module });
    b.close();
    lock.close();
    expect(await connection.recv()).to.deep.equal([true, true, true, true, true, true, true]);
    expect(await a.recv()).to.equal('through the field');
    await child.join();
  });

  it('keep the identity of the lock of a Condition, and of a lock that several Conditions have', async () => {
    const lock = new RLock();
    const [first, second] = [new Condition(lock), new Condition(lock)];
    const own = new Condition();
    const { child, connection } = startWith(argumentTargets.conditions, [first, lock, second, own], { module });
    expect(await connection.recv()).to.deep.equal([true, true, true, true]);
    await child.join();
    for (const object of [first, second, own, lock]) object.close();
  });

  it('may be locks, semaphores, conditions and events of every class, shared with the parent', async () => {
    const locks = {
      lock: new Lock(),
      rlock: new RLock(),
      semaphore: new Semaphore(2),
      bounded: new BoundedSemaphore(3),
    };
    const [condition, event] = [new Condition(), new Event()];
    await condition.acquire();
    const { child, connection } = startWith(targets.useLocks, [locks, condition, event]);
    await event.set();
    expect(await condition.wait(60_000)).to.equal(true);
    condition.release();
    expect(await connection.recv()).to.deep.equal([
      'Lock',
      'RLock',
      'Semaphore',
      'BoundedSemaphore',
      'Condition',
      'Event',
    ]);
    await child.join();
    const { lock } = locks;
    const holder = startWith(targets.holdLock, [lock]);
    expect(await holder.connection.recv()).to.equal('held');
    expect(await lock.acquire({ block: false })).to.equal(false);
    await holder.connection.send('let go');
    expect(await lock.acquire()).to.equal(true);
    lock.release();
    await holder.child.join();
    for (const object of [...Object.values(locks), condition, event]) object.close();
  });

  it('may be locks that the parent closes at once: their names are removed when the child has attached them', async () => {
    const lock = new Lock();
    const { name } = lock;
    const { child, connection } = startWith(argumentTargets.nameOf, [lock], { module });
    lock.close();
    // A message from the function proves that everything was attached before.
    expect(await connection.recv()).to.equal(name);
    await connection.send('go on');
    expect(await connection.recv()).to.equal('acquired');
    await child.join();
    throws(() => attachByName(name), { code: 'ENOENT' });
  });

  it('carry along what was read ahead, in order', async () => {
    const [reader, writer] = pipe(false);
    for (const value of [1, 2, 3]) await writer.send(value);
    expect(await reader.recv()).to.equal(1);
    const { child, connection } = startWith(argumentTargets.readAll, [reader], { module });
    reader.close();
    await writer.send(4);
    writer.close();
    expect(await connection.recv()).to.deep.equal([2, 3, 4]);
    await child.join();
  });

  it('keep a Connection and its dup() one stream', async () => {
    const [reader, writer] = pipe(false);
    const copy = track(reader.dup());
    for (const value of [1, 2, 3, 4]) await writer.send(value);
    expect(await copy.recv()).to.equal(1);
    const { child, connection } = startWith(argumentTargets.alternate, [copy, reader], { module });
    reader.close();
    copy.close();
    expect(await connection.recv()).to.deep.equal([2, 3, 4]);
    await child.join();
    await rejects(writer.send(5), { code: 'EPIPE' });
  });

  it('give back what was read ahead if no child is started', async () => {
    const [reader, writer] = pipe(false);
    for (const value of [1, 2, 3]) await writer.send(value);
    expect(await reader.recv()).to.equal(1);
    const child = new Process({ module, target: 'readAll', args: [reader, { callback: () => 1 }] });
    throws(() => child.start(), { code: 'ERR_MP_PICKLING' });
    expect([await reader.recv(), await reader.recv()]).to.deep.equal([2, 3]);
  });

  it('may be large', async () => {
    const big = Buffer.alloc(64 * 1024 * 1024, 'abc');
    const { child, connection } = startWith(argumentTargets.sizes, [big, [big.subarray(0, 5)]], { module });
    expect(await connection.recv()).to.deep.equal([big.length, 'abcab']);
    await child.join();
    // The rest of the arguments is written while the parent is blocked, too.
    const less = big.subarray(0, 8 * 1024 * 1024);
    const again = startWith(argumentTargets.sizes, [less, [big.subarray(1, 3)]], { module });
    expect(again.connection.recvSync()).to.deep.equal([less.length, 'bc']);
    expect(again.child.joinSync()).to.equal(true);
  });

  it('may be a hundred Connections', async () => {
    const pairs = Array.from({ length: 100 }, () => pipe());
    const { child, connection } = startWith(argumentTargets.sendNumbers, [pairs.map(([, theirs]) => theirs)], {
      module,
    });
    for (const [, theirs] of pairs) theirs.close();
    expect(await connection.recv()).to.equal(100);
    for (const [i, [ours]] of pairs.entries()) {
      expect(await ours.recv()).to.equal(i);
      await rejects(ours.recv(), { code: 'ERR_MP_EOF' });
    }
    await child.join();
  });

  it('are refused with their path if they cannot be passed on, and no child is started', () => {
    const [a, b] = pipe();
    b.close();
    const cyclic: Record<string, unknown> = { a };
    cyclic['next'] = { cyclic, 'odd key': new Map<unknown, unknown>([['key', [Symbol('s')]]]) };
    const closed = new Lock();
    closed.close();
    const wrong: [unknown[], string, string][] = [
      [[() => 1], 'args[0]', 'ERR_MP_PICKLING'],
      [[1, { handlers: { onDone: () => 1 } }], 'args[1].handlers.onDone', 'ERR_MP_PICKLING'],
      [[a, { handlers: { onDone: () => 1 } }], 'args[1].handlers.onDone', 'ERR_MP_PICKLING'],
      [[cyclic], 'args[0].next["odd key"].get("key")[0]', 'ERR_MP_PICKLING'],
      [[new Map([[new WeakMap(), 1]])], 'args[0].keys()[0]', 'ERR_MP_PICKLING'],
      [[new Set([Promise.resolve()])], 'args[0].values()[0]', 'ERR_MP_PICKLING'],
      [[[new Proxy({}, {}), a]], 'args[0][0]', 'ERR_MP_PICKLING'],
      [[{ of: [a, b] }], 'args[0].of[1]', 'ERR_MP_CLOSED'],
      [[{ closed }], 'args[0].closed', 'ERR_MP_CLOSED'],
    ];
    for (const [args, path, code] of wrong) {
      const child = new Process({ module, target: 'readAll', args });
      expect(throws(() => child.start(), { code }).message).to.include(path);
      expect([child.pid, child.isAlive()]).to.deep.equal([null, false]);
    }
    // Deep enough to end any recursion.
    const deep: unknown[] = [a];
    let inner = deep;
    for (let i = 0; i < 200_000; i++) inner = inner[inner.length] = [] as unknown[];
    const child = new Process({ module, target: 'readAll', args: [deep] });
    expect(throws(() => child.start(), { code: 'ERR_MP_PICKLING' }).message).to.include('args');
  });

  it('may not be a Connection in the middle of a message, in either direction', async () => {
    const [a, b] = pipe();
    const big = Buffer.alloc(8 * 1024 * 1024, 1);
    const sent = a.sendBytes(big);
    const busy = (connection: Connection): string => {
      const child = new Process({ module, target: 'readAll', args: [connection] });
      return throws(() => child.start(), { code: 'ERR_MP_BUSY' }).message;
    };
    expect(busy(a as Connection)).to.include('args[0]');
    expect((await b.recvBytes()).length).to.equal(big.length);
    await sent;
    const [source, end] = pipe();
    writeRaw(source, Buffer.concat([header(100_000), Buffer.alloc(50_000)]));
    await rejects(end.recvBytes(undefined, { timeout: 500 }), { code: 'ERR_MP_TIMEOUT' });
    expect(busy(end as Connection)).to.include('args[0]');
    writeRaw(source, Buffer.alloc(50_000));
    expect((await end.recvBytes()).length).to.equal(100_000);
    const { child, connection } = startWith(argumentTargets.readAll, [end], { module });
    end.close();
    await source.send('whole');
    source.close();
    expect(await connection.recv()).to.deep.equal(['whole']);
    await child.join();
  });

  it('carry no functions of a custom serialization: a Connection can still send bytes', async () => {
    const json = {
      serialize: (value: unknown) => Buffer.from(JSON.stringify(value)),
      deserialize: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as unknown,
    };
    const [ours, theirs] = Pipe(true, { serialization: json }) as unknown as [AnyConnection, AnyConnection];
    track(ours);
    const { child, connection } = startWith(argumentTargets.bytesOnly, [theirs], { module });
    theirs.close();
    expect((await ours.recvBytes()).toString()).to.equal('bytes');
    expect(await connection.recv()).to.deep.equal('ERR_MP_NOT_SUPPORTED');
    await child.join();
  });
});

function attachByName(name: string): void {
  attach({ type: 'Lock', semaphore: { name } }).close();
}
