// SPDX-License-Identifier: MIT
//
// Node as a client of managers: of unmodified Python, and of Node.
import { createServer, connect as connectTls, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import { expect } from 'chai';
import { RemoteError } from 'node-multiprocessing';
import { ManagedQueue, ManagerClient, ManagerServer, type ManagerProxy } from 'node-multiprocessing/managers';

import {
  addressFrom,
  edgePythons,
  instance,
  ownTmpdir,
  pythonPeer,
  rejects,
  spawnPeer,
  within,
} from '../helpers/index.js';

const authkey = Buffer.from('key');

describe('ManagerClient', () => {
  ownTmpdir();

  for (const python of edgePythons()) {
    it(`uses the queues, dicts, events and values of a manager (python${python.version})`, async () => {
      const peer = spawnPeer(pythonPeer(python, 'managers_peer'), { args: ['null', 'serve'] });
      const client = await ManagerClient.connect({ address: await addressFrom(peer), authkey });
      const queue = await client.create<{ put(item: unknown): Promise<void>; get(): Promise<unknown> }>('get_shared');
      await queue.put({ text: 'é', list: [1, 2.5, null] });
      expect(await queue.get()).to.deep.equal({ text: 'é', list: [1, 2.5, null] });
      await rejects(queue.call('get', [true, 0.01]), { code: 'ERR_MP_EMPTY' });
      const full = await client.create('Queue', [1]);
      await full.call('put', [1], { kwargs: { block: false } });
      await rejects(full.call('put', [2], { kwargs: { block: false } }), { code: 'ERR_MP_FULL' });

      const dict = await client.create('dict', [{ a: 1 }], { kwargs: { b: 2 } });
      expect(await dict.call('copy')).to.deep.equal({ a: 1, b: 2 });
      const error = instance(await rejects(dict.call('__getitem__', ['zz']), { code: 'ERR_MP_REMOTE' }), RemoteError);
      expect([error.type, error.args]).to.deep.equal(['KeyError', ['zz']]);
      const keys = (await dict.call('__iter__')) as ManagerProxy;
      expect(await keys.call('__next__')).to.equal('a');
      await keys.close();

      const failure = instance(await rejects(client.create('failing'), { code: 'ERR_MP_REMOTE' }), RemoteError);
      expect([failure.type, failure.traceback.startsWith('Traceback')]).to.deep.equal(['ZeroDivisionError', true]);
      instance(await rejects(client.create('no_such_type'), { code: 'ERR_MP_REMOTE' }), RemoteError);

      // A get that waits is in the way of no other call.
      const got = queue.get();
      await queue.put('through');
      expect(await within(10_000, got, 'get')).to.equal('through');
      await rejects(queue.call('get', [], { timeout: 20 }), { code: 'ERR_MP_TIMEOUT' });
      await rejects(queue.call('get', [], { signal: AbortSignal.timeout(20) }), { code: 'ABORT_ERR' });
      const event = await client.create('Event');
      const waited = event.call('wait');
      await event.call('set');
      expect(await within(10_000, waited, 'wait')).to.equal(true);

      expect(await client.numberOfObjects()).to.be.greaterThan(3);
      expect(await client.debugInfo()).to.include('refcount=1');
      for (const proxy of [queue, full, dict, event]) await proxy.close();
      expect(await client.numberOfObjects()).to.equal(0);
      await client.shutdown();
      await client.close();
      await rejects(queue.get(), { code: 'ERR_MP_CLOSED' });
      await peer.succeeded();
    });
  }

  it('reports a wrong key and a manager that is not there', async () => {
    const server = new ManagerServer({ authkey });
    const { address } = server;
    await rejects(ManagerClient.connect({ address, authkey: Buffer.from('other') }), { code: 'ERR_MP_AUTHENTICATION' });
    server.close();
    await rejects(ManagerClient.connect({ address, authkey }), { code: 'ENOENT' });
  });

  it('works over TLS, by sockets of the caller', async () => {
    const manager = new ManagerServer({ authkey });
    manager.register('get_queue', new ManagedQueue());
    const psk = { ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
    const served: Promise<void>[] = [];
    const tls = createServer({ ...psk, pskCallback: () => Buffer.from('0123456789abcdef') }, (socket) => {
      served.push(manager.serve(socket));
    });
    tls.listen(0, '127.0.0.1');
    await once(tls, 'listening');
    const { port } = tls.address() as AddressInfo;
    const connect = async (): Promise<TLSSocket> => {
      const pskCallback = (): { psk: Buffer; identity: string } => ({
        psk: Buffer.from('0123456789abcdef'),
        identity: 'node',
      });
      const socket = connectTls({ ...psk, host: '127.0.0.1', port, pskCallback, checkServerIdentity: () => undefined });
      await once(socket, 'secureConnect');
      return socket;
    };
    const client = await ManagerClient.connect({ connect, authkey });
    const queue = await client.create('get_queue');
    const large = Buffer.alloc(300_000, 7);
    await queue.call('put', [large]);
    expect(large.equals((await queue.call('get')) as Buffer)).to.equal(true);
    await client.close();
    await within(10_000, Promise.all(served), 'the server has seen the ends');
    manager.close();
    tls.close();
    await once(tls, 'close');
  });
});
