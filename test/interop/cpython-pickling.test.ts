// SPDX-License-Identifier: MIT
//
// CPython's own tests of Connections inside objects, with Python on either side, and more of the same kind. Titles that
// begin with `test_` name CPython's tests.
import { readdirSync } from 'node:fs';

import { expect } from 'chai';
import type { Listener } from 'node-multiprocessing';
import { Client, Connection, currentProcess, Pipe, type SocketAddress } from 'node-multiprocessing';

import {
  edgePythons,
  frame,
  listen,
  makePair,
  modes,
  newestPython,
  ownTmpdir,
  pythonPeer,
  rejects,
  spawnPeer,
  throws,
  track,
  turns,
  via,
  writeRaw,
  type AnyConnection,
  type Peer,
  type Program,
} from '../helpers/index.js';

const python = pythonPeer(newestPython(), 'sharer_peer');
const PICKLE = { serialization: 'pickle' } as const;

function start(program: Program, mode: string, key = currentProcess().authkey): { peer: Peer; conn: AnyConnection } {
  const { reader: conn, writer } = makePair('socketpair', PICKLE);
  return { peer: spawnPeer(program, { fds: [writer], args: [mode, key.toString('hex')] }), conn };
}

/** Makes a pair whose ends are sent over another Connection. */
function pair(): [AnyConnection, AnyConnection] {
  const [reader, writer] = Pipe(false, PICKLE) as unknown as [AnyConnection, AnyConnection];
  return [track(reader), track(writer)];
}

function received(value: unknown): AnyConnection {
  expect(value).to.be.instanceOf(Connection);
  return track(value as AnyConnection);
}

function unpickling(cause: string): (error: Error) => void {
  return (error) => {
    expect((error.cause as { code: string }).code).to.equal(cause);
  };
}

describe('_TestPicklingConnections', () => {
  ownTmpdir();

  for (const edge of edgePythons()) {
    const program = pythonPeer(edge, 'sharer_peer');
    for (const mode of modes) {
      it(`test_pickling receives the connections that a child accepts (${program.label}, ${mode})`, async () => {
        const families = ['AF_UNIX', 'AF_INET'];
        const { peer: listening, conn: lconn } = start(program, 'listener');
        const { peer: remote, conn: rconn } = start(program, 'remote');
        await via(mode, lconn).send(families);
        for (const family of families) {
          const message = `This connection uses family ${family}`;
          const address = (await via(mode, lconn).recv()) as SocketAddress;
          await via(mode, rconn).send([address, message]);
          const accepted = received(await via(mode, lconn).recv());
          expect([accepted.readable, accepted.writable]).to.deep.equal([true, true]);
          expect(await via(mode, accepted).recv()).to.equal(message.toUpperCase());
          await rejects(via(mode, accepted).recv(), { code: 'ERR_MP_EOF' });
        }
        await lconn.send(null);
        await rconn.send(null);
        await listening.succeeded();
        await remote.succeeded();
      });

      it(`test_access sends a child an end that only sends, and an end that only receives (${program.label}, ${mode})`, async () => {
        const { peer, conn } = start(program, 'child_access');
        const [r, w] = pair();
        await via(mode, conn).send(w);
        w.close();
        // The event loop hands the descriptor out. A Sync call would keep it from running.
        expect(await r.recv()).to.equal('all is well');
        await rejects(via(mode, r).recv(), { code: 'ERR_MP_EOF' });
        const [r2, w2] = pair();
        await via(mode, conn).send(r2);
        r2.close();
        await via(mode, w2).send('foobar');
        w2.close();
        expect(await conn.recv()).to.equal('foobarfoobar');
        expect(await peer.succeeded()).to.equal('False True\nTrue False\n');
      });

      it(`test_access receives such ends from a parent (${program.label}, ${mode})`, async () => {
        const { peer, conn } = start(program, 'access');
        const writer = received(await via(mode, conn).recv());
        expect([writer.readable, writer.writable]).to.deep.equal([false, true]);
        await via(mode, writer).send('all is well');
        writer.close();
        expect(await peer.line()).to.equal('all is well');
        const { deep } = (await via(mode, conn).recv()) as { deep: unknown[] };
        const reader = received(deep[0]);
        expect(deep[1]).to.equal(reader);
        const message = String(await via(mode, reader).recv());
        await rejects(via(mode, reader).recv(), { code: 'ERR_MP_EOF' });
        await via(mode, conn).send(message.repeat(2));
        expect(await peer.line()).to.equal('foobarfoobar');
        await peer.succeeded();
      });
    }
  }
});

describe('Connections inside pickles', () => {
  const folder = ownTmpdir();

  /** Makes two Connections of this process with pickle serialization. */
  function talk(): [AnyConnection, AnyConnection] {
    const { reader, writer } = makePair('socketpair', PICKLE);
    return [reader, writer];
  }

  it('travel within one process, several in a message, and leave no file behind', async () => {
    const [a, b] = talk();
    for (let i = 0; i < 3; i++) {
      const [r, w] = pair();
      await a.send([r, { w }]);
      r.close();
      w.close();
      const [reader, { w: writer }] = (await b.recv()) as [unknown, { w: unknown }];
      await received(writer).send('through');
      expect(await received(reader).recv()).to.equal('through');
    }
    await turns(10);
    expect(readdirSync(folder())).to.deep.equal([]);
  });

  it('keep their place among the messages before and after', async () => {
    const [a, b] = talk();
    const [r] = pair();
    await a.send('before');
    await a.send({ r });
    await a.send('behind');
    const receives = [b.recv(), b.recv(), b.recv()];
    expect(await receives[0]).to.equal('before');
    received(((await receives[1]) as { r: unknown }).r);
    expect(await receives[2]).to.equal('behind');
  });

  it('are kept for the next receive if a receive times out', async () => {
    const [a, b] = talk();
    const [r, w] = pair();
    await a.send(r);
    r.close();
    await rejects(b.recv({ timeout: 0 }), { code: 'ERR_MP_TIMEOUT' });
    expect(b.tryRecv()).to.equal(undefined);
    throws(() => b.recvSync(), { code: 'ERR_MP_BUSY' });
    await rejects(b.recvBytes(), { code: 'ERR_MP_BUSY' });
    await w.send('late');
    expect(await received(await b.recv()).recv()).to.equal('late');
  });

  it('are closed if no receive takes them', async () => {
    const [a, b] = talk();
    const [r, w] = pair();
    await a.send(r);
    r.close();
    // The message is taken, not only its receive begun. One that stays unread is offered for a minute.
    expect(b.tryRecv()).to.equal(undefined);
    const controller = new AbortController();
    const receive = b.recv({ signal: controller.signal });
    controller.abort();
    await rejects(receive, { name: 'AbortError' });
    b.close();
    // Wherever the descriptor is by now, it gets closed, and the other end sees that.
    const broken = async (): Promise<boolean> => {
      try {
        await w.send('is it open?');
        return false;
      } catch (error) {
        return (error as { code: string }).code === 'EPIPE';
      }
    };
    while (!(await broken())) await turns(1);
  });

  it('are taken back if the rest of the value cannot be pickled', async () => {
    const [a] = talk();
    const [r, w] = pair();
    await rejects(a.send([r, () => 1]), { code: 'ERR_MP_PICKLING' });
    expect(readdirSync(folder())).to.deep.equal([]);
    r.close();
    await rejects(w.send(1), { code: 'EPIPE' });
  });

  it('are refused if they are closed or hold bytes that were read ahead', async () => {
    const [a] = talk();
    const [r, w] = pair();
    await w.send(1);
    await w.send(2);
    expect(await r.recv()).to.equal(1);
    await rejects(a.send({ r }), { code: 'ERR_MP_NOT_SUPPORTED' });
    expect(await r.recv()).to.equal(2);
    r.close();
    await rejects(a.send({ r }), { code: 'ERR_MP_PICKLING' });
  });

  it('are kept for a minute', async () => {
    const [a] = talk();
    const [r, w] = pair();
    const { setTimeout: original } = globalThis;
    let expire: (() => void) | undefined;
    globalThis.setTimeout = ((callback: () => void, ms: number) => {
      if (ms === 60_000) expire = callback;
      return original(callback, ms);
    }) as typeof setTimeout;
    try {
      await a.send(r);
    } finally {
      globalThis.setTimeout = original;
    }
    r.close();
    await w.send('still kept');
    expire?.();
    await rejects(w.send(1), { code: 'EPIPE' });
    expect(readdirSync(folder())).to.deep.equal([]);
  });

  it('fail with UnpicklingError if the sender is gone, and the next message is received', async () => {
    for (const mode of modes) {
      const { peer, conn } = start(python, 'lost');
      expect(await peer.line()).to.equal('sent');
      await peer.succeeded();
      unpickling('ENOENT')(await rejects(via(mode, conn).recv(), { code: 'ERR_MP_UNPICKLING' }));
      await rejects(via(mode, conn).recv(), { code: 'ERR_MP_EOF' });
    }
  });

  it('are not handed out to a process with another authkey', async () => {
    const { peer, conn } = start(python, 'fails', Buffer.from('another key'));
    const [r, w] = pair();
    await conn.send(r);
    expect(await peer.line()).to.equal('AuthenticationError');
    await peer.succeeded();
    r.close();
    // The ticket is still good for a process of this family.
    await w.send('not lost');
    const [a, b] = talk();
    await a.send(w);
    received(await b.recv());
    // The other ticket, which the stranger asked for, is still good as well.
    await reclaim(1);
  });

  it('are not collected from a process with another authkey', async () => {
    for (const mode of modes) {
      const { peer, conn } = start(python, 'offers', Buffer.from('another key'));
      unpickling('ERR_MP_AUTHENTICATION')(await rejects(via(mode, conn).recv(), { code: 'ERR_MP_UNPICKLING' }));
      conn.close();
      await peer.succeeded();
    }
  });

  it('are refused in pickles that describe no Connection', async () => {
    const [a, b] = talk();
    for (const pickle of [
      // rebuild_connection is called with an argument that is not a DupFd.
      'cmultiprocessing.connection\nrebuild_connection\n(NI01\nI01\ntR.',
      // A DupFd without a state, and a DupFd for another kind of system.
      'cmultiprocessing.connection\nrebuild_connection\n(cmultiprocessing.resource_sharer\nDupFd\n)RI01\nI01\ntR.',
      "cmultiprocessing.connection\nrebuild_connection\n(cmultiprocessing.resource_sharer\nDupFd\n)R(dS'_id'\nI5\nsbI01\nI01\ntR.",
    ]) {
      writeRaw(a, frame(pickle));
      await rejects(b.recv(), { code: 'ERR_MP_UNPICKLING' });
    }
    // A socket in a folder that does not exist.
    writeRaw(
      a,
      frame(
        "cmultiprocessing.connection\nrebuild_connection\n(cmultiprocessing.resource_sharer\nDupFd\n)R(dS'_id'\n(S'/nowhere/listener'\nI1\ntsbI01\nI01\ntR.",
      ),
    );
    unpickling('ENOENT')(await rejects(b.recv(), { code: 'ERR_MP_UNPICKLING' }));
    await a.send('goes on');
    expect(await b.recv()).to.equal('goes on');
  });

  it('are not handed out for a number that is not kept', async () => {
    const [a, b] = talk();
    const [r] = pair();
    await a.send(r);
    const path = readdirSync(folder(), { recursive: true }).find((name) => String(name).endsWith('listener'));
    const address = `${folder()}/${String(path)}`;
    for (const request of [[-1, 1], ['x', 1], 5, null]) {
      const asking = track((await Client(address, { authkey: currentProcess().authkey, ...PICKLE })) as AnyConnection);
      await asking.send(request);
      await rejects(asking.recvHandle(), { code: 'ERR_MP_EOF' });
    }
    received(await b.recv());
  });

  it('are handed out once for each ticket', async () => {
    const [a, b] = talk();
    const [r] = pair();
    await a.send(r);
    const message = await b.recvBytes();
    for (const expected of ['first', 'second']) {
      await a.sendBytes(message);
      if (expected === 'first') received(await b.recv());
      else unpickling('ENOENT')(await rejects(b.recv(), { code: 'ERR_MP_UNPICKLING' }));
    }
  });

  it('may not be Listeners', async () => {
    const [a] = talk();
    const listener: Listener = listen('unix');
    await rejects(a.send(listener), { code: 'ERR_MP_NOT_SUPPORTED' });
  });

  /** Collects the descriptors of this process that are still kept, by their numbers. */
  async function reclaim(count: number): Promise<void> {
    const path = readdirSync(folder(), { recursive: true }).find((name) => String(name).endsWith('listener'));
    const address = `${folder()}/${String(path)}`;
    for (let key = 1, found = 0; found < count; key++) {
      const asking = track((await Client(address, { authkey: currentProcess().authkey, ...PICKLE })) as AnyConnection);
      await asking.send([key, process.pid]);
      try {
        received(Connection.fromFd(await asking.recvHandle()));
        found++;
      } catch {
        // That number was collected before.
      }
      asking.close();
    }
  }
});
