// SPDX-License-Identifier: MIT
//
// CPython's own cases for Listener and Client, by their names, with Node and Python processes on the other side; and both
// sides of an authentication with every Python.
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

/** A Node process that uses the blocking methods. */
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
    it(`${family}: test_multiple_bind: a second Listener at the same address`, async () => {
      for (const program of [node, ...edges]) {
        const peer = startListener(program, family);
        const address = await addressFrom(peer);
        throws(() => new Listener({ address }), { code: 'EADDRINUSE', syscall: 'bind' });
        await expectEcho('async', await connectVia('async', address));
        await peer.succeeded();
      }
    });
  }

  it('test_context: a Listener, a Client and what is accepted end with their blocks', async () => {
    const listener = listen('unix');
    const { accepted, connected } = await connectedPair(listener);
    await accepted.send(1729);
    expect(await connected.recv()).to.equal(1729);
    for (const object of [connected, accepted, listener]) object[Symbol.dispose]();
    expect([connected.closed, accepted.closed]).to.deep.equal([true, true]);
    await rejects(listener.accept(), { code: 'ERR_MP_CLOSED' });
  });

  for (const program of pythonProgram) {
    it(`${program.label}: test_empty_authkey: an empty key authenticates`, async () => {
      const listener = listen('unix', { authkey: Buffer.alloc(0) });
      const peer = startClient(program, listener.address, Buffer.alloc(0));
      await expectEcho('async', await acceptVia('async', listener));
      await peer.succeeded();
    });
  }

  it('test_empty_authkey: a Listener of Python asks for it, or ignores it as it did up to 3.12.1', async () => {
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
    it(`${program.label}: test_abstract_socket: an address that begins with a zero byte`, async () => {
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

  it('leaves an address to whoever comes next', async () => {
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
        it(`${program.label}, ${family}, ${mode}: test_listener_client: a child connects and says hello`, async () => {
          const listener = listen(family);
          const args = ['hello', JSON.stringify(listener.address), 'none'];
          const peer = spawnPeer(program, { args, ...env(mode) });
          const connection = await acceptVia(mode, listener);
          expect(String(await via(mode, connection).recvBytes())).to.equal('hello');
          await peer.succeeded();
        });
      }
    }

    it(`${program.label}: test_issue14725: a client that has written and gone before it is accepted`, async () => {
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
    it(`${family}: test_issue16955: poll sees what the accepted side has sent`, async () => {
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

    it(`${program.label}: connects to a Listener with a key`, async () => {
      const listener = listen('unix', { authkey: KEY });
      for (const mode of modes) {
        const peer = startClient(program, listener.address, KEY, mode);
        const connection = await acceptVia(mode, listener);
        expect(await peer.line()).to.equal('connected');
        await expectEcho(mode, connection);
        await peer.succeeded();
      }
    });

    it(`${program.label}: listens with a key`, async () => {
      for (const mode of modes) {
        const peer = startListener(program, 'unix', KEY, 1, mode);
        await expectEcho(mode, await connectVia(mode, await addressFrom(peer), { authkey: KEY, timeout: 50_000 }));
        expect(await peer.line()).to.equal('accepted');
        await peer.succeeded();
      }
    });

    it(`${program.label}: a wrong key is an AuthenticationError on both sides`, async () => {
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
      it(`${program.label}: a client without a key is refused, and a Client without one is`, async () => {
        const listener = listen('unix', { authkey: KEY });
        const client = startClient(program, listener.address);
        const refusing = rejects(acceptVia('async', listener), AUTH);
        // It takes the challenge for a message, and its echo for an answer.
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
    it(`${program.label}: over TCP and an abstract name, both ways`, async () => {
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

    it(`${program.label}: a peer that is killed in the middle is refused, and others are served meanwhile`, async () => {
      for (const mode of modes) {
        const listener = listen('unix', { authkey: KEY });
        const peer = spawnPeer(program, { args: ['drip', JSON.stringify(listener.address)] });
        expect(await peer.line()).to.equal('ready');
        const client = startClient(program, listener.address, KEY);
        await expectEcho(mode, await acceptVia(mode, listener));
        await client.succeeded();
        // An accept must be pending when the end is noticed: otherwise nobody is told of it.
        peer.kill();
        await rejects(acceptVia(mode, listener), AUTH);
        await peer.exit;
      }
    });
  }
});
