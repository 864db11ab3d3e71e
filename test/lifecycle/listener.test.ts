// SPDX-License-Identifier: MIT
//
// Listeners of processes that end in many ways, get signals, or run out of descriptors.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect } from 'chai';
import { Listener } from 'node-multiprocessing';

import {
  acceptVia,
  connectVia,
  listen,
  ownTmpdir,
  rejects,
  spawnPeer,
  throws,
  within,
  type Peer,
} from '../helpers/index.js';
import { child, report, untilAsleep, type Report } from './support/programs.js';

function start(name: string, argument = '', execArgv: readonly string[] = []): Peer {
  return spawnPeer(child('listener', execArgv), { args: [name, argument] });
}

describe('A process with a Listener', function () {
  const folder = ownTmpdir();

  for (const name of ['idle', 'unref pending', 'silent peer']) {
    it(`ends although it has: ${name}`, async function () {
      const peer = start(name);
      const address = await report(peer);
      await within(30_000, peer.succeeded(), 'the natural end');
      expect(existsSync(dirname(address))).to.equal(false);
    });
  }

  it('is kept alive by a pending accept', async function () {
    const peer = start('pending');
    const address = await report(peer);
    await untilAsleep(peer.pid, 'event loop');
    const connection = await connectVia('async', address);
    expect(await report(peer)).to.equal('accepted');
    await peer.succeeded();
    await rejects(connection.recv(), { code: 'ERR_MP_EOF' });
  });

  it('is kept alive by a Client that waits for a Listener, and has used nothing before', async function () {
    const listener = listen('unix', { authkey: Buffer.from('key') });
    const peer = start('client', listener.address as string);
    expect(await report(peer)).to.equal('started');
    await untilAsleep(peer.pid, 'event loop');
    expect(peer.ended).to.equal(false);
    const connection = await acceptVia('async', listener);
    await connection.send('hello');
    expect(await report(peer)).to.equal('hello');
    await peer.succeeded();
  });

  for (const [name, code] of [
    ['exit', 3],
    ['throws', 1],
  ] as const) {
    it(`leaves no file when it ends (${name})`, async function () {
      const peer = start(name);
      const address = await report(peer);
      expect((await peer.exit).code).to.equal(code);
      expect(existsSync(dirname(address))).to.equal(false);
    });
  }

  it('leaves its file when it is killed, and the address is EADDRINUSE until the file is removed', async function () {
    const path = join(folder(), 'socket');
    const peer = start('at', path);
    expect(await report(peer)).to.equal(path);
    peer.kill();
    await peer.exit;
    await rejects(connectVia('async', path), { code: 'ECONNREFUSED', syscall: 'connect' });
    throws(() => new Listener({ address: path }), { code: 'EADDRINUSE', syscall: 'bind' });
    rmSync(path);
    listen('unix', { address: path });
  });

  it('closes the Listener when it is collected', async function () {
    const own = join(folder(), 'own');
    mkdirSync(own);
    const peer = spawnPeer(child('listener', ['--expose-gc']), { args: ['collected'], env: { TMPDIR: own } });
    expect(dirname(dirname(await report(peer)))).to.equal(own);
    expect(await report(peer)).to.equal('removed');
    await peer.succeeded();
    expect(readdirSync(own)).to.deep.equal([]);
    rmSync(own, { recursive: true });
  });

  it('can end a worker that waits in accept', async function () {
    const peer = start('worker');
    expect(await report(peer)).to.equal('free');
    await peer.succeeded();
  });
});

describe('TestIgnoreEINTR', function () {
  ownTmpdir();

  it('test_ignore_listener: accept survives signals', async function () {
    const peer = start('accept');
    const address = await report(peer);
    await untilAsleep(peer.pid, 'event loop');
    for (let i = 1; i <= 3; i++) {
      peer.kill('SIGUSR2');
      expect(await report(peer)).to.equal(i);
    }
    await connectVia('async', address);
    expect(await report(peer)).to.equal('accepted');
    await peer.succeeded();
  });

  it('test_ignore_listener: acceptSync throws InterruptedError, and can be repeated', async function () {
    const peer = start('acceptSync', 'listening');
    const address = await report(peer);
    for (let i = 0; i < 3; i++) {
      await untilAsleep(peer.pid, 'sync poll');
      peer.kill('SIGUSR2');
      expect(await report(peer)).to.equal('ERR_MP_INTERRUPTED');
    }
    await connectVia('async', address);
    expect(await report(peer)).to.equal('accepted');
    await peer.succeeded();
  });

  it('test_ignore_listener: acceptSync is not ended by an ignored signal without a listener', async function () {
    const peer = start('acceptSync');
    const address = await report(peer);
    for (let i = 0; i < 3; i++) {
      await untilAsleep(peer.pid, 'sync poll');
      peer.kill('SIGCHLD');
    }
    await connectVia('async', address);
    expect(await report(peer)).to.equal('accepted');
    await peer.succeeded();
  });

  it('ClientSync is interrupted while it authenticates, and closes its connection', async function () {
    const listener = listen('unix');
    const peer = start('clientSync', listener.address as string);
    const accepted = await listener.accept();
    await untilAsleep(peer.pid, 'sync poll');
    peer.kill('SIGUSR2');
    expect(await report(peer)).to.equal('ERR_MP_INTERRUPTED');
    await rejects(accepted.recv(), { code: 'ERR_MP_EOF' });
    accepted.close();
    await peer.succeeded();
  });
});

describe('Listener and Client without a free descriptor', function () {
  ownTmpdir();

  it('reject accept and Client with EMFILE, lose nothing, and later calls work', async function () {
    const program = child('listener');
    const preload = `LD_PRELOAD=${process.env['LD_PRELOAD'] ?? ''}`;
    const args = ['-c', 'ulimit -n 80 && exec env "$@"', 'sh', preload, program.command, ...program.args, 'exhausted'];
    const peer = spawnPeer({ language: 'c', label: 'limited node', command: 'sh', args });
    const result: Report = await report(peer);
    expect(result).to.deep.equal(Array.from({ length: 6 }, () => 'EMFILE'));
    await peer.succeeded();
  });
});
