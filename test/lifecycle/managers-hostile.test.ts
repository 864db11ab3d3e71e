// SPDX-License-Identifier: MIT
//
// Clients of a manager that do not keep to its protocol, and many that do. Whatever they do, another client is served.
import { readFileSync } from 'node:fs';

import { expect } from 'chai';
import { Client, pickle, tuple, type Connection } from 'node-multiprocessing';
import { ManagedQueue, ManagerClient, ManagerServer, type ManagerServerOptions } from 'node-multiprocessing/managers';

import { ownTmpdir, pattern, rejects, track, within, writeRaw } from '../helpers/index.js';

const authkey = Buffer.from('key');
const open = new Set<ManagerServer>();

function startServer(options: Partial<ManagerServerOptions> = {}): { server: ManagerServer; queue: ManagedQueue } {
  const server = new ManagerServer({ authkey, ...options });
  open.add(server);
  const queue = new ManagedQueue();
  server.register('get_queue', queue);
  return { server, queue };
}

async function expectServed({ address }: ManagerServer): Promise<void> {
  const client = await ManagerClient.connect({ address, authkey, timeout: 20_000 });
  const proxy = await client.create('get_queue');
  await proxy.call('put', ['item']);
  expect(await proxy.call('get')).to.equal('item');
  await client.close();
}

type Raw = Connection<unknown>;

/** A connection of a client that has the key. */
async function enter({ address }: ManagerServer): Promise<Raw> {
  return track(await Client(address, { authkey, serialization: 'pickle' }));
}

async function ask(connection: Raw, ...request: unknown[]): Promise<unknown[]> {
  await connection.send(tuple(...request));
  return (await within(10_000, connection.recv(), 'an answer')) as unknown[];
}

/** A connection for calls, and the id of the queue. */
async function enterCalls(server: ManagerServer): Promise<{ connection: Raw; id: string }> {
  const maker = await enter(server);
  const [, made] = await ask(maker, null, 'create', tuple('get_queue'), {});
  const connection = await enter(server);
  expect(await ask(connection, null, 'accept_connection', tuple('thread'), {})).to.deep.equal(['#RETURN', null]);
  return { connection, id: (made as string[])[0] as string };
}

describe('ManagerServer and hostile clients', () => {
  afterEach(() => {
    for (const server of open) server.close();
    open.clear();
  });
  ownTmpdir();

  it('refuses bytes that are no authentication, and a wrong key', async () => {
    const { server } = startServer();
    for (let i = 0; i < 20; i++) writeRaw(track(await Client<never>(server.address)), pattern(i * 50, i));
    await rejects(Client(server.address, { authkey: Buffer.from('other') }), { code: 'ERR_MP_AUTHENTICATION' });
    await expectServed(server);
  });

  it('answers requests that are none with a traceback, and executes nothing', async () => {
    const { server } = startServer();
    const gadget = new pickle.PythonObject(new pickle.PythonGlobal('os', 'system'), ['touch /tmp/mp-gadget'], false);
    const requests = [7, tuple(1, 2), tuple(null, 'no_such', tuple(), {}), tuple(null, 5, tuple(), {}), gadget];
    for (const request of requests) {
      const connection = await enter(server);
      await connection.send(request);
      expect(((await connection.recv()) as unknown[])[0]).to.equal('#TRACEBACK');
      await rejects(connection.recv(), { code: 'ERR_MP_EOF' });
    }
    for (const [name, ...args] of [
      ['create'],
      ['create', 'none'],
      ['decref', '77'],
      ['get_methods', 1],
      ['shutdown'],
    ]) {
      expect((await ask(await enter(server), null, name, tuple(...args), {}))[0]).to.equal('#TRACEBACK');
    }
    const { connection, id } = await enterCalls(server);
    for (const [of, name] of [
      ['77', 'get'],
      [id, '__class__'],
      [id, 'constructor'],
      [id, '#GETVALUE'],
    ]) {
      expect((await ask(connection, of, name, tuple(), {}))[0]).to.equal('#TRACEBACK');
    }
    // The connection is as good as before.
    expect(await ask(connection, id, 'put', tuple(gadget), {})).to.deep.equal(['#RETURN', null]);
    expect(await ask(connection, id, 'qsize', tuple(), {})).to.deep.equal(['#RETURN', 1]);
  });

  it('closes the connection of a client that does not wait for an answer, and gives its item back', async () => {
    const { server, queue } = startServer();
    const { connection, id } = await enterCalls(server);
    await connection.send(tuple(id, 'get', tuple(), {}));
    await connection.send(tuple(id, 'get', tuple(), {}));
    await rejects(within(10_000, connection.recv(), 'the end'), { code: 'ERR_MP_EOF' });
    await queue.put('kept');
    expect(queue.qsize()).to.equal(1);
  });

  it('serves others while a client does not read its answer', async () => {
    const { server, queue } = startServer();
    await queue.put(Buffer.alloc(4_000_000));
    const { connection, id } = await enterCalls(server);
    await connection.send(tuple(id, 'get', tuple(), {}));
    while (queue.qsize() > 0) await new Promise((resolve) => setImmediate(resolve));
    await expectServed(server);
    connection.close();
    // It had not received the item.
    expect(await within(10_000, queue.get(), 'the item')).to.have.lengthOf(4_000_000);
  });

  it('bounds messages, connections and objects', async () => {
    const { server } = startServer({ maxMessageBytes: 10_000, maxConnections: 3, maxObjects: 2 });
    const { connection, id } = await enterCalls(server);
    await connection.sendBytes(Buffer.alloc(20_000)).catch(() => undefined);
    await rejects(connection.recv(), {});
    const held = [await enterCalls(server), await enterCalls(server)];
    expect(held.map((one) => one.id)).not.to.include(id);
    // Both objects are in use, so there is no room for a third one.
    expect(await ask(await enter(server), null, 'create', tuple('get_queue'), {})).to.have.property('0', '#RETURN');
    const third = await enter(server);
    expect((await ask(third, null, 'accept_connection', tuple('thread'), {}))[0]).to.equal('#RETURN');
    const fourth = await enter(server);
    await fourth.send(tuple(null, 'dummy', tuple(), {})).catch(() => undefined);
    await rejects(fourth.recv(), {});
  });

  it('has a thousand gets wait without a thread or a descriptor more for each than its connection', async () => {
    const { server } = startServer();
    const client = await ManagerClient.connect({ address: server.address, authkey, maxConnections: 200 });
    const threads = (): string | undefined => /^Threads:.*$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[0];
    const proxy = await client.create('get_queue');
    await proxy.call('qsize');
    const before = threads();
    const gets = Array.from({ length: 1000 }, () => proxy.call('get'));
    const other = await ManagerClient.connect({ address: server.address, authkey });
    const producer = await other.create('get_queue');
    expect(threads()).to.equal(before);
    for (let i = 0; i < 1000; i++) await producer.call('put', [i]);
    const got = await within(60_000, Promise.all(gets), 'all gets');
    expect([...(got as number[])].sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 1000 }, (_, i) => i));
    await client.close();
    await other.close();
  });
});
