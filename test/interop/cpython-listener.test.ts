// SPDX-License-Identifier: MIT
//
// CPython's own tests of Listener and Client with Node and Python processes on the other side, and both sides of an
// authentication with every Python. Titles that begin with `test_` name CPython's tests.
import { join } from 'node:path';

import { expect } from 'chai';
import { Listener } from 'node-multiprocessing';

import {
  acceptVia,
  addressFrom,
  connectedPair,
  connectVia,
  edgePythons,
  families,
  listen,
  modes,
  nodePeer,
  optionsFor,
  ownTmpdir,
  pythonPeer,
  pythons,
  rejects,
  spawnPeer,
  throws,
  via,
  type AnyConnection,
  type Family,
  type Mode,
  type Peer,
  type Program,
} from '../helpers/index.js';

const KEY = Buffer.from('\0 any bytes \xff');
const AUTH = { code: 'ERR_MP_AUTHENTICATION' };

function keyText(key: Buffer | undefined): string {
  return key === undefined ? 'none' : key.toString('hex');
}

const node = nodePeer('listener-peer');
const pythonProgram = pythons().map((python) => pythonPeer(python, 'listener_peer'));
/** The oldest and the newest Python. */
const edges = edgePythons().map((python) => pythonPeer(python, 'listener_peer'));

/** The environment that makes a Node process use the blocking methods, if `mode` says so. */
function env(mode: Mode): { env: Record<string, string> } {
  return { env: { NODE_TEST_MODE: mode } };
}

function startClient(program: Program, address: unknown, key?: Buffer, mode: Mode = 'async'): Peer {
  return spawnPeer(program, { args: ['client', JSON.stringify(address), keyText(key)], ...env(mode) });
}

function startListener(program: Program, family: Family, key?: Buffer, count = 1, mode: Mode = 'async'): Peer {
  const { address = null, family: name = 'none' } = optionsFor(family);
  const args = ['listener', JSON.stringify(address), name, keyText(key), String(count)];
  return spawnPeer(program, { args, ...env(mode) });
}

async function expectEcho(mode: Mode, connection: AnyConnection): Promise<void> {
  for (const message of [Buffer.from('hello'), Buffer.alloc(0), Buffer.alloc(100_000, 7)]) {
    await via(mode, connection).sendBytes(message);
    expect((await via(mode, connection).recvBytes()).equals(message)).to.equal(true);
  }
  connection.close();
}

describe('_TestListener', () => {
  const folder = ownTmpdir();

  for (const family of families) {
    it(`test_multiple_bind refuses a second Listener at the same address (${family})`, async () => {
      for (const program of [node, ...edges]) {
        const peer = startListener(program, family);
        const address = await addressFrom(peer);
        throws(() => new Listener({ address }), { code: 'EADDRINUSE', syscall: 'bind' });
        await expectEcho('async', await connectVia('async', address));
        await peer.succeeded();
      }
    });
  }

  it('test_context closes a Listener, a Client and an accepted Connection at the end of their blocks', async () => {
    const listener = listen('unix');
    const { accepted, connected } = await connectedPair(listener);
    await accepted.send(1729);
    expect(await connected.recv()).to.equal(1729);
    for (const object of [connected, accepted, listener]) object[Symbol.dispose]();
    expect([connected.closed, accepted.closed]).to.deep.equal([true, true]);
    await rejects(listener.accept(), { code: 'ERR_MP_CLOSED' });
  });

  for (const program of pythonProgram) {
    it(`test_empty_authkey authenticates a client with an empty key (${program.label})`, async () => {
      const listener = listen('unix', { authkey: Buffer.alloc(0) });
      const peer = startClient(program, listener.address, Buffer.alloc(0));
      await expectEcho('async', await acceptVia('async', listener));
      await peer.succeeded();
    });
  }

  it('test_empty_authkey authenticates at a Listener of Python, which ignored an empty key up to 3.12.1', async () => {
    const empty = Buffer.alloc(0);
    for (const program of edges) {
      const peer = startListener(program, 'unix', empty);
      const address = await addressFrom(peer);
      if (program === edges[edges.length - 1] && edges.length > 1) {
        await expectEcho('async', await connectVia('async', address, { authkey: empty }));
      } else {
        await rejects(connectVia('async', address, { authkey: empty, timeout: 300 }), { code: 'ERR_MP_TIMEOUT' });
      }
      await peer.succeeded();
    }
  });

  for (const program of [node, ...edges]) {
    it(`test_abstract_socket connects by an address that begins with a zero byte (${program.label})`, async () => {
      const peer = startListener(program, 'abstract');
      const address = await addressFrom(peer);
      expect(address).to.match(/^\0mp-test-/);
      await expectEcho('async', await connectVia('async', address));
      await peer.succeeded();
      const listener = listen('abstract');
      const client = startClient(program, listener.address);
      await expectEcho('async', await acceptVia('async', listener));
      await client.succeeded();
    });
  }

  it('leaves its address free for the next Listener', async () => {
    const path = join(folder(), 'socket');
    const first = listen('unix', { address: path });
    first.close();
    const peer = spawnPeer(edges[0] as Program, { args: ['listener', JSON.stringify(path), 'none', 'none', '1'] });
    expect(await addressFrom(peer)).to.equal(path);
    await expectEcho('async', await connectVia('async', path));
    await peer.succeeded();
    listen('unix', { address: path });
  });
});

describe('_TestListenerClient', () => {
  ownTmpdir();

  for (const program of [node, ...edges]) {
    for (const family of families) {
      for (const mode of modes) {
        it(`test_listener_client accepts a child that says hello (${program.label}, ${family}, ${mode})`, async () => {
          const listener = listen(family);
          const args = ['hello', JSON.stringify(listener.address), 'none'];
          const peer = spawnPeer(program, { args, ...env(mode) });
          const connection = await acceptVia(mode, listener);
          expect(String(await via(mode, connection).recvBytes())).to.equal('hello');
          await peer.succeeded();
        });
      }
    }

    it(`test_issue14725 accepts a client that has written and closed before (${program.label})`, async () => {
      for (const family of families) {
        const listener = listen(family);
        const peer = spawnPeer(program, { args: ['gone', JSON.stringify(listener.address), 'none'] });
        expect(await peer.line()).to.equal('closed');
        await peer.succeeded();
        const connection = await acceptVia('async', listener);
        expect(String(await connection.recvBytes())).to.equal('hello');
        await rejects(connection.recvBytes(), { code: 'ERR_MP_EOF' });
      }
    });
  }

  for (const family of families) {
    it(`test_issue16955 sees by poll what the accepted side has sent (${family})`, async () => {
      const listener = listen(family);
      const { accepted, connected } = await connectedPair(listener);
      await accepted.sendBytes(Buffer.from('hello'));
      expect(await connected.poll(10_000)).to.equal(true);
      expect(await connected.poll()).to.equal(true);
      expect(connected.pollSync(10_000)).to.equal(true);
    });
  }
});

describe('Authentication between processes', () => {
  ownTmpdir();

  for (const program of [node, ...pythonProgram]) {
    const isNode = program === node;

    it(`accepts a client with the key (${program.label})`, async () => {
      const listener = listen('unix', { authkey: KEY });
      for (const mode of modes) {
        const peer = startClient(program, listener.address, KEY, mode);
        const connection = await acceptVia(mode, listener);
        expect(await peer.line()).to.equal('connected');
        await expectEcho(mode, connection);
        await peer.succeeded();
      }
    });

    it(`connects to a Listener with the key (${program.label})`, async () => {
      for (const mode of modes) {
        const peer = startListener(program, 'unix', KEY, 1, mode);
        await expectEcho(mode, await connectVia(mode, await addressFrom(peer), { authkey: KEY, timeout: 50_000 }));
        expect(await peer.line()).to.equal('accepted');
        await peer.succeeded();
      }
    });

    it(`rejects on both sides with AuthenticationError if the keys differ (${program.label})`, async () => {
      const listener = listen('unix', { authkey: KEY });
      const client = startClient(program, listener.address, Buffer.from('wrong'));
      await rejects(acceptVia('async', listener), AUTH);
      expect(await client.line()).to.equal('AuthenticationError');
      await client.succeeded();
      const peer = startListener(program, 'unix', KEY, 2);
      const address = await addressFrom(peer);
      await rejects(connectVia('async', address, { authkey: Buffer.from('wrong'), timeout: 50_000 }), AUTH);
      expect(await peer.line()).to.equal('AuthenticationError');
      await expectEcho('async', await connectVia('async', address, { authkey: KEY, timeout: 50_000 }));
      await peer.succeeded();
    });

    if (!isNode) {
      it(`refuses a client without a key, and is refused as one (${program.label})`, async () => {
        const listener = listen('unix', { authkey: KEY });
        const client = startClient(program, listener.address);
        const refusing = rejects(acceptVia('async', listener), AUTH);
        // The client takes the challenge for a message, and the Listener takes its echo for an answer.
        expect(await client.line()).to.equal('connected');
        await refusing;
        await client.exit;
        const peer = startListener(program, 'unix', KEY);
        const connection = await connectVia('async', await addressFrom(peer));
        expect((await connection.recvBytes()).toString('latin1')).to.match(/^#CHALLENGE#/);
        await connection.sendBytes(Buffer.from('no answer'));
        expect(await peer.line()).to.equal('AuthenticationError');
        await peer.succeeded();
      });
    }
  }

  for (const program of [node, ...edges]) {
    it(`works over TCP and an abstract name, in both directions (${program.label})`, async () => {
      for (const family of ['tcp', 'abstract'] as const) {
        const listener = listen(family, { authkey: KEY });
        const client = startClient(program, listener.address, KEY);
        await expectEcho('async', await acceptVia('async', listener));
        await client.succeeded();
        const peer = startListener(program, family, KEY);
        await expectEcho('async', await connectVia('async', await addressFrom(peer), { authkey: KEY }));
        await peer.succeeded();
      }
    });

    it(`refuses a peer that is killed in the middle, and serves others meanwhile (${program.label})`, async () => {
      for (const mode of modes) {
        const listener = listen('unix', { authkey: KEY });
        const peer = spawnPeer(program, { args: ['drip', JSON.stringify(listener.address)] });
        expect(await peer.line()).to.equal('ready');
        const client = startClient(program, listener.address, KEY);
        await expectEcho(mode, await acceptVia(mode, listener));
        await client.succeeded();
        // An accept must be pending when the end is noticed. Otherwise no call reports it.
        peer.kill();
        await rejects(acceptVia(mode, listener), AUTH);
        await peer.exit;
      }
    });
  }
});
