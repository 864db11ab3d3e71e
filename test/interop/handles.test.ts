// SPDX-License-Identifier: MIT
//
// Descriptors that travel over a connection, in the form of multiprocessing.reduction.
import { mkdtempSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import {
  allPeers,
  fewPeers,
  flagsOf,
  frame,
  makePair,
  modes,
  openFd,
  rejects,
  startTalk,
  throws,
  trackFd,
  via,
  writeRaw,
} from '../helpers/index.js';

/** Everything that can be read from a descriptor at this moment. */
function readText(fd: number): string {
  const bytes = Buffer.alloc(100);
  return bytes.toString('utf8', 0, readSync(fd, bytes));
}

describe('sendHandle and recvHandle between processes', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'mp-test-'))));
  after(() => {
    rmSync(folder, { recursive: true });
  });

  for (const language of allPeers()) {
    for (const mode of modes) {
      it(`test_fd_transfer: pass the peer a file, to which it writes (${language.label}, ${mode})`, async () => {
        const path = join(folder, `${language.label}-${mode}`);
        const fd = openFd(path, 'w');
        const { peer, reader } = startTalk(language, 'socketpair', 'receive_handle');
        await via(mode, reader).sendHandle(fd);
        expect(String(await via(mode, reader).recvBytes())).to.equal('done');
        expect(readFileSync(path, 'utf8')).to.match(/^via (Node|Python)$/);
        await via(mode, reader).sendBytes(Buffer.from('still in step'));
        expect(String(await via(mode, reader).recvBytes())).to.equal('still in step');
        reader.close();
        await peer.succeeded();
      });

      it(`take a handle from the peer between two messages (${language.label}, ${mode})`, async () => {
        for (const readAhead of [true, false]) {
          const { peer, reader } = startTalk(language, 'socketpair', 'send_handle', { readAhead });
          const input = via(mode, reader);
          expect(String(await input.recvBytes())).to.equal('before');
          const fd = trackFd(await input.recvHandle());
          expect(flagsOf(fd).closeOnExec).to.equal(true);
          expect(String(await input.recvBytes())).to.equal('after');
          await peer.succeeded();
          expect(readText(fd)).to.match(/^from (Node|Python)$/);
        }
      });
    }

    it(`test_missing_fd_transfer: fail in the peer for a byte without a descriptor (${language.label})`, async () => {
      const { peer, reader } = startTalk(language, 'socketpair', 'missing_handle');
      writeRaw(reader, Buffer.of(1));
      // A Node peer goes on, and sees the end of data after the byte.
      if (language.label === 'node') reader.close();
      const [line] = (await peer.succeeded()).split('\n');
      expect(line).to.equal(language.label === 'node' ? 'Error' : 'RuntimeError');
    });
  }

  for (const language of fewPeers()) {
    it(`test_large_fd_transfer: pass numbers above 256 on both sides (${language.label})`, async () => {
      for (let i = 0; i < 260; i++) openFd('/dev/null');
      const path = join(folder, `${language.label}-large`);
      const fd = openFd(path, 'w');
      expect(fd).to.be.greaterThan(256);
      const { peer, reader } = startTalk(language, 'socketpair', 'receive_handle', { args: ['300'] });
      await reader.sendHandle(fd);
      expect(String(await reader.recvBytes())).to.equal('done');
      expect(readFileSync(path, 'utf8')).to.match(/^via /);
      reader.close();
      await peer.succeeded();
    });
  }
});

describe('sendHandle and recvHandle', () => {
  for (const mode of modes) {
    for (const readAhead of [true, false]) {
      it(`keep the place of a handle among messages (${mode}, readAhead ${readAhead})`, async () => {
        const { reader, writer } = makePair('socketpair', { readAhead });
        const { reader: end, writer: start } = makePair('pipe');
        const output = via(mode, writer);
        const input = via(mode, reader);
        await output.sendBytes(Buffer.from('one'));
        await output.sendHandle(start.fileno());
        await output.sendHandle(start.fileno());
        await output.sendBytes(Buffer.from('two'));
        expect(String(await input.recvBytes())).to.equal('one');
        const fds = [trackFd(await input.recvHandle()), trackFd(await input.recvHandle())];
        expect(String(await input.recvBytes())).to.equal('two');
        for (const fd of fds) writeSync(fd, frame('through it'));
        expect(String(await end.recvBytes())).to.equal('through it');
        expect(String(await end.recvBytes())).to.equal('through it');
      });

      it(`close a handle where a message is due, and the connection becomes unreadable (${mode}, readAhead ${readAhead})`, async () => {
        for (const [prefix, into] of [
          ['', 'the header'],
          ['\0\0', 'the header'],
          ['\0\0\0\x05ab', 'the body'],
        ]) {
          const { reader, writer } = makePair('socketpair', { readAhead });
          const { reader: end, writer: start } = makePair('pipe');
          writeRaw(writer, Buffer.from(prefix as string));
          await writer.sendHandle(start.fileno());
          writeRaw(writer, Buffer.alloc(8));
          start.close();
          await rejects(via(mode, reader).recvBytes(), { code: 'EBADMSG', syscall: 'recvmsg' });
          await rejects(via(mode, reader).recvBytes(), { code: 'ERR_MP_NOT_READABLE' });
          // The pipe ends only when the copy that travelled is closed as well.
          expect(await end.poll(10_000), `descriptor in ${into} was closed`).to.equal(true);
          await rejects(end.recvBytes(undefined, { timeout: 0 }), { code: 'ERR_MP_EOF' });
          await via(mode, reader).sendBytes(Buffer.from('sending works'));
          expect(String(await writer.recvBytes())).to.equal('sending works');
        }
      });

      it(`test_missing_fd_transfer: reject with EBADMSG for a byte that comes alone (${mode}, readAhead ${readAhead})`, async () => {
        const { reader, writer } = makePair('socketpair', { readAhead });
        writeRaw(writer, Buffer.of(1));
        await rejects(via(mode, reader).recvHandle(), { code: 'EBADMSG', syscall: 'recvmsg' });
      });
    }

    it(`reject at a timeout, at an abort and at the end of data (${mode})`, async () => {
      const { reader, writer } = makePair('socketpair');
      await rejects(via(mode, reader).recvHandle({ timeout: 5 }), { code: 'ERR_MP_TIMEOUT' });
      await rejects(via(mode, reader).recvHandle({ signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
      writer.close();
      await rejects(via(mode, reader).recvHandle(), { code: 'ERR_MP_EOF' });
    });

    it(`reject with EBADF for a number that is not open, and send nothing (${mode})`, async () => {
      const { reader, writer } = makePair('socketpair');
      await rejects(via(mode, writer).sendHandle(44_977_608), { code: 'EBADF' });
      expect(await reader.poll()).to.equal(false);
    });

    it(`reject with NotSupported over a pipe (${mode})`, async () => {
      const { reader, writer } = makePair('pipe');
      await rejects(via(mode, writer).sendHandle(0), { code: 'ERR_MP_NOT_SUPPORTED' });
      await rejects(via(mode, reader).recvHandle(), { code: 'ERR_MP_NOT_SUPPORTED', name: 'NotSupported' });
    });
  }

  it('close a handle with the connection if no call has taken it', async () => {
    const { reader, writer } = makePair('socketpair');
    const { reader: end, writer: start } = makePair('pipe');
    await writer.sendBytes(Buffer.from('message'));
    await writer.sendHandle(start.fileno());
    start.close();
    // Reading ahead takes the handle's byte with the message.
    expect(String(await reader.recvBytes())).to.equal('message');
    reader.close();
    writer.close();
    await rejects(end.recvBytes(), { code: 'ERR_MP_EOF' });
  });

  it('send a number that is closed as soon as the call has returned, even if the send has to wait', async () => {
    const { reader, writer } = makePair('socketpair');
    const { reader: end, writer: start } = makePair('pipe');
    const large = writer.sendBytes(Buffer.alloc(4 * 1024 * 1024));
    const handle = writer.sendHandle(start.fileno());
    start.close();
    await reader.recvBytes();
    const fd = trackFd(await reader.recvHandle());
    writeSync(fd, frame('x'));
    expect(String(await end.recvBytes())).to.equal('x');
    await Promise.all([large, handle]);
    throws(() => start.fileno(), { code: 'ERR_MP_CLOSED' });
  });
});
