// SPDX-License-Identifier: MIT
//
// CPython's own tests of Connection, from Lib/test/_test_multiprocessing.py, against each peer. The titles begin with
// their names.
import { existsSync, readdirSync } from 'node:fs';

import { expect } from 'chai';
import { BufferTooShort, Connection, Pipe } from 'node-multiprocessing';

import {
  allPeers,
  fewPeers,
  flagsOf,
  instance,
  kinds,
  makePair,
  modes,
  pattern,
  rejects,
  spawnPeer,
  startTalk,
  throws,
  track,
  via,
} from '../helpers/index.js';

describe('_TestConnection', () => {
  for (const language of allPeers()) {
    for (const kind of kinds) {
      it(`test_connection passes objects, bytes, buffers, a long message and the end of data (${language.label}, ${kind})`, async () => {
        const { peer, reader, writer } = startTalk(language, kind, 'echo', { serialization: 'json' });
        const sequence = [1, 2.25, null, 'text', { list: [1, [2]] }];
        await writer.send(sequence);
        expect(await reader.recv()).to.deep.equal(sequence);
        const message = Buffer.from('hello world');
        await writer.sendBytes(message);
        expect((await reader.recvBytes()).equals(message)).to.equal(true);

        const ints = new Int32Array(10);
        const expected = new Int32Array([1, 2, 3, 4]);
        await writer.sendBytes(expected);
        expect(await reader.recvBytesInto(ints)).to.equal(16);
        expect([...ints]).to.deep.equal([1, 2, 3, 4, 0, 0, 0, 0, 0, 0]);
        ints.fill(0);
        await writer.sendBytes(expected);
        expect(await reader.recvBytesInto(ints, 3 * ints.BYTES_PER_ELEMENT)).to.equal(16);
        expect([...ints]).to.deep.equal([0, 0, 0, 1, 2, 3, 4, 0, 0, 0]);

        const longer = Buffer.from('x'.repeat(40) + 'y');
        await writer.sendBytes(longer);
        const error = await rejects(reader.recvBytesInto(new Uint8Array(40)), { code: 'ERR_MP_BUFFER_TOO_SHORT' });
        expect(instance(error, BufferTooShort).bytes.equals(longer)).to.equal(true);

        expect(await reader.poll()).to.equal(false);
        expect(await reader.poll(-1)).to.equal(false);
        const before = performance.now();
        expect(await reader.poll(50)).to.equal(false);
        expect(performance.now() - before).to.be.at.least(50);
        await writer.send(null);
        expect(await reader.poll(60_000)).to.equal(true);
        expect(await reader.recv()).to.equal(null);

        const reallyBig = pattern(16 * 1024 * 1024);
        await writer.sendBytes(reallyBig);
        expect((await reader.recvBytes()).equals(reallyBig)).to.equal(true);

        if (kind === 'pipe') {
          writer.close();
          await rejects(reader.recv(), { code: 'ERR_MP_EOF' });
          await rejects(reader.recvBytes(), { code: 'ERR_MP_EOF' });
        } else {
          reader.close();
        }
        await peer.succeeded();
      });

      it(`test_spawn_close closes this side's copy of the child's end right after the start (${language.label}, ${kind})`, async () => {
        const { peer, reader, writer } = startTalk(language, kind, 'echo');
        const message = Buffer.from('hello');
        await writer.sendBytes(message);
        expect((await reader.recvBytes()).equals(message)).to.equal(true);
        writer.close();
        await peer.succeeded();
      });
    }
  }

  for (const mode of modes) {
    it(`test_duplex_false makes a reader and a writer (${mode})`, async () => {
      const { reader, writer } = makePair('pipe');
      await via(mode, writer).send(1);
      expect(await via(mode, reader).recv()).to.equal(1);
      expect([reader.readable, reader.writable]).to.deep.equal([true, false]);
      expect([writer.readable, writer.writable]).to.deep.equal([false, true]);
      await rejects(via(mode, reader).send(2), { code: 'ERR_MP_NOT_WRITABLE' });
      await rejects(via(mode, writer).recv(), { code: 'ERR_MP_NOT_READABLE' });
      await rejects(via(mode, writer).poll(), { code: 'ERR_MP_NOT_READABLE' });
    });

    for (const kind of kinds) {
      it(`test_sendbytes sends the named part, and refuses parts outside of the buffer (${kind}, ${mode})`, async () => {
        const message = Buffer.from('abcdefghijklmnopqrstuvwxyz');
        const { reader, writer } = makePair(kind);
        const output = via(mode, writer);
        const input = via(mode, reader);
        for (const [offset, size] of [[], [5], [7, 8], [26], [26, 0]] as [number?, number?][]) {
          await output.sendBytes(message, offset, size);
          const end = size === undefined ? undefined : (offset as number) + size;
          expect(String(await input.recvBytes())).to.equal(message.toString('latin1', offset, end));
        }
        for (const [offset, size] of [[27], [22, 5], [26, 1], [-1], [4, -1]] as [number, number?][]) {
          await rejects(output.sendBytes(message, offset, size), { code: 'ERR_OUT_OF_RANGE', name: 'RangeError' });
        }
        expect(await input.poll()).to.equal(false);
      });
    }
  }

  it('test_context closes both ends, and later receives fail', async () => {
    const [a, b] = Pipe<number>();
    {
      // `using` does this at the end of a block; the compiler here does not know it.
      try {
        await a.send(1729);
        expect(await b.recv()).to.equal(1729);
        expect(a.closed).to.equal(false);
      } finally {
        b[Symbol.dispose]();
        a[Symbol.dispose]();
      }
    }
    expect([a.closed, b.closed]).to.deep.equal([true, true]);
    await rejects(a.recv(), { code: 'ERR_MP_CLOSED' });
    await rejects(b.recv(), { code: 'ERR_MP_CLOSED' });
  });
});

describe('TestInvalidHandle', () => {
  it('test_invalid_handles refuses a number that is not open, and -1', () => {
    throws(() => Connection.fromFd(44_977_608), { code: 'EBADF' });
    throws(() => Connection.fromFd(-1), { code: 'ERR_OUT_OF_RANGE' });
  });
});

describe('TestCloseFds', () => {
  for (const language of fewPeers()) {
    if (language.label === 'node') continue;
    it(`test_closefd gives the child the listed descriptors and no other (${language.label})`, async () => {
      // The test run itself may have been started with descriptors that each of its children inherits.
      const inherited = readdirSync('/proc/self/fd')
        .map(Number)
        .filter((fd) => fd > 3 && isOpen(fd) && !flagsOf(fd).closeOnExec);
      const others = kinds.map((kind) => makePair(kind));
      expect(others.length).to.equal(2);
      for (const kind of kinds) {
        const { reader } = makePair(kind);
        const peer = spawnPeer(language.program(), {
          fds: [reader],
          args: ['descriptors', kind === 'pipe' ? 'reader' : 'duplex'],
        });
        expect(JSON.parse(await peer.succeeded())).to.have.members([3, ...inherited]);
      }
    });
  }
});

describe('TestIgnoreEINTR', () => {
  for (const kind of kinds) {
    for (const mode of modes) {
      it(`test_ignore lets a receive and a large blocked send survive signals (${kind}, ${mode})`, async () => {
        const { peer, reader, writer } = startTalk(fewPeers()[0] as never, kind, 'interrupted', {
          env: { NODE_TEST_MODE: mode },
        });
        expect(await peer.line()).to.equal('ready');
        // The blocking call reports that a signal has reached it. Before that it may not have begun.
        const signalled = await signalUntilSaid(peer.pid, mode === 'sync' ? peer.line() : Promise.resolve(undefined));
        if (mode === 'sync') expect(signalled).to.equal('ERR_MP_INTERRUPTED false');
        await writer.sendBytes(Buffer.from('after the signal'));
        for (let line = await peer.line(); line !== 'after the signal'; line = await peer.line()) {
          expect(line).to.equal('ERR_MP_INTERRUPTED false');
        }
        // The send fills the kernel's buffer and blocks, since this side does not read yet.
        expect(await reader.poll(null)).to.equal(true);
        const begun = await signalUntilSaid(peer.pid, mode === 'sync' ? peer.line() : Promise.resolve(undefined));
        if (mode === 'sync') expect(begun).to.equal('ERR_MP_INTERRUPTED true');
        expect((await reader.recvBytes()).equals(pattern(1024 * 1024))).to.equal(true);
        await peer.succeeded();
      });
    }
  }

  for (const kind of kinds) {
    it(`test_poll_eintr does not end a Sync wait when children end meanwhile (${kind})`, async () => {
      process.on('SIGCHLD', ignore);
      try {
        const { reader } = makePair(kind);
        const program = fewPeers()[1]?.program() as never;
        const peers = Array.from({ length: 3 }, () =>
          spawnPeer(program, { fds: [track(reader.dup())], keep: true, args: ['none', 'reader'] }),
        );
        const before = performance.now();
        throws(() => reader.recvBytesSync(undefined, { timeout: 500 }), { code: 'ERR_MP_TIMEOUT' });
        expect(reader.pollSync(50)).to.equal(false);
        expect(performance.now() - before).to.be.at.least(550);
        // All children failed while the thread was blocked, because they have no such mode.
        for (const peer of peers) expect((await peer.exit).code).to.equal(1);
      } finally {
        process.off('SIGCHLD', ignore);
      }
    });
  }
});

function isOpen(fd: number): boolean {
  return existsSync(`/proc/self/fdinfo/${fd}`);
}

function ignore(): void {
  // For any other signal, a listener would make a Sync call return.
}

/** Sends signals, at least ten, until `said` resolves. A signal that comes too early has no effect. */
async function signalUntilSaid(pid: number, said: Promise<string | undefined>): Promise<string | undefined> {
  let done = false;
  const result = said.finally(() => (done = true));
  for (let i = 0; i < 10 || !done; i++) {
    process.kill(pid, 'SIGUSR2');
    await new Promise((resolve) => setImmediate(resolve));
  }
  return await result;
}
