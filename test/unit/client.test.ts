// SPDX-License-Identifier: MIT
//
// Connecting to a Listener: what a Client waits for, and how it fails.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Client, ClientSync } from 'node-multiprocessing';

import {
  acceptVia,
  connectVia,
  listen,
  modes,
  ownTmpdir,
  rejects,
  throws,
  track,
  turns,
  via,
} from '../helpers/index.js';

const KEY = Buffer.from('a key of this test');

describe('Client', () => {
  const folder = ownTmpdir();

  for (const mode of modes) {
    it(`fails with a system error if the address does not exist (${mode})`, async () => {
      const path = join(folder(), 'missing');
      await rejects(connectVia(mode, path), { code: 'ENOENT', syscall: 'connect' });
      writeFileSync(path, 'no socket');
      await rejects(connectVia(mode, path), { code: 'ECONNREFUSED', syscall: 'connect' });
      rmSync(path);
      await rejects(connectVia(mode, '\0mp-test-nothing'), { code: 'ECONNREFUSED', syscall: 'connect' });
      const listener = listen('tcp');
      listener.close();
      await rejects(connectVia(mode, listener.address), { code: 'ECONNREFUSED', syscall: 'connect' });
    });

    it(`waits for room in a full backlog, within its timeout (${mode})`, async () => {
      const listener = listen('unix', { backlog: 0 });
      await connectVia(mode, listener.address);
      for (const timeout of [0, 50]) {
        await rejects(connectVia(mode, listener.address, { timeout }), { code: 'ERR_MP_TIMEOUT' });
      }
    });

    it(`gives up a Listener that does not answer the authentication, at its timeout (${mode})`, async () => {
      const listener = listen('unix');
      await rejects(connectVia(mode, listener.address, { authkey: KEY, timeout: 50 }), { code: 'ERR_MP_TIMEOUT' });
      // The Client has closed the connection.
      const accepted = await acceptVia(mode, listener);
      await rejects(via(mode, accepted).recv(), { code: 'ERR_MP_EOF' });
    });
  }

  it('ends by its signal, at every step', async () => {
    const full = listen('unix', { backlog: 0 });
    await connectVia('async', full.address);
    const silent = listen('unix');
    for (const [listener, authkey] of [
      [full, undefined],
      [silent, KEY],
    ] as const) {
      const controller = new AbortController();
      const pending = Client(listener.address, { authkey, signal: controller.signal });
      await turns();
      controller.abort();
      await rejects(pending, { code: 'ABORT_ERR' });
      await rejects(Client(listener.address, { signal: controller.signal }), { code: 'ABORT_ERR' });
      throws(() => ClientSync(listener.address, { signal: controller.signal }), { code: 'ABORT_ERR' });
    }
    await rejects(track(await silent.accept()).recv(), { code: 'ERR_MP_EOF' });
  });

  it('never connects to itself', async () => {
    const listener = listen('tcp');
    const [host, port] = listener.address as [string, number];
    listener.close();
    // The system gives each of these another port of its own, and sooner or later perhaps this one.
    for (let i = 0; i < 200; i++) await rejects(Client([host, port]), { code: 'ECONNREFUSED', syscall: 'connect' });
  });
});
