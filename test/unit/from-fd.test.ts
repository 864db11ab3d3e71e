// SPDX-License-Identifier: MIT
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { fstatSync, openSync } from 'node:fs';
import { createServer, type Server } from 'node:net';

import { expect } from 'chai';
import { Connection } from 'node-multiprocessing';

import { copyFd, flagsOf, forgetFd, kinds, makePair, openFd, rejects, throws, track } from '../helpers/index.js';

/** The descriptor of one of Node's own handles. */
function fdOf(object: object): number {
  return (object as { _handle: { fd: number } })._handle.fd;
}

describe('Connection.fromFd', () => {
  for (const kind of kinds) {
    it(`finds out the directions, owns the descriptor and closes it (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const readFd = copyFd(reader);
      const writeFd = copyFd(writer);
      const input = track(Connection.fromFd(forgetFd(readFd)));
      const output = track(Connection.fromFd(forgetFd(writeFd)));
      expect([input.readable, input.writable]).to.deep.equal([true, kind === 'socketpair']);
      expect([output.readable, output.writable]).to.deep.equal([kind === 'socketpair', true]);
      expect(input.fileno()).to.equal(readFd);
      reader.close();
      writer.close();
      await output.send({ through: 'both' });
      expect(await input.recv()).to.deep.equal({ through: 'both' });
      output.close();
      expect(() => fstatSync(writeFd)).to.throw('EBADF');
      await rejects(input.recv(), { code: 'ERR_MP_EOF' });
    });

    it(`makes the descriptor close-on-exec and leaves its description blocking (${kind})`, () => {
      const { reader } = makePair(kind);
      expect(flagsOf(reader.fileno())).to.deep.equal({ closeOnExec: true, nonBlocking: false });
      const fd = copyFd(reader);
      const connection = track(Connection.fromFd(forgetFd(fd)));
      expect(flagsOf(connection.fileno())).to.deep.equal({ closeOnExec: true, nonBlocking: false });
    });

    it(`can narrow the directions, and cannot widen them (${kind})`, async () => {
      const { reader, writer } = makePair(kind);
      const fd = copyFd(writer);
      const narrowed = { readable: false, writable: true };
      if (kind === 'pipe') throws(() => Connection.fromFd(fd, { readable: true }), { code: 'ERR_MP_NOT_READABLE' });
      const readFd = copyFd(reader);
      if (kind === 'pipe') throws(() => Connection.fromFd(readFd, { writable: true }), { code: 'ERR_MP_NOT_WRITABLE' });
      throws(() => Connection.fromFd(fd, { readable: false, writable: false }), { code: 'ERR_OUT_OF_RANGE' });
      throws(() => Connection.fromFd(fd, { writable: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
      throws(() => Connection.fromFd(fd, { readable: 'yes' as never }), { code: 'ERR_INVALID_ARG_TYPE' });
      const connection = track(Connection.fromFd(forgetFd(fd), narrowed));
      await rejects(connection.recv(), { code: 'ERR_MP_NOT_READABLE' });
      await connection.send(1);
      expect(await reader.recv()).to.equal(1);
    });

    it(`refuses a descriptor that already belongs to a Connection (${kind})`, () => {
      const { reader } = makePair(kind);
      throws(() => Connection.fromFd(reader.fileno()), { code: 'ERR_MP_BUSY' });
      const fd = copyFd(reader);
      const adopted = track(Connection.fromFd(forgetFd(fd)));
      throws(() => Connection.fromFd(fd), { code: 'ERR_MP_BUSY' });
      adopted.close();
      throws(() => Connection.fromFd(fd), { code: 'EBADF' });
    });
  }

  it('accepts a fifo that was opened for both directions', async () => {
    const { reader } = makePair('pipe');
    const fd = openSync(`/proc/self/fd/${reader.fileno()}`, 'r+');
    const both = track(Connection.fromFd(fd));
    expect([both.readable, both.writable]).to.deep.equal([true, true]);
    await both.send('to itself');
    expect(await both.recv()).to.equal('to itself');
  });

  it('refuses the standard streams, and values that are no descriptor numbers', () => {
    for (const fd of [0, 1, 2, -1, 1.5, NaN, Infinity, 2 ** 31]) {
      throws(() => Connection.fromFd(fd), { code: 'ERR_OUT_OF_RANGE', name: 'RangeError' });
    }
    for (const fd of ['3', null, undefined, {}, 3n]) {
      throws(() => Connection.fromFd(fd as never), { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError' });
    }
  });

  it('refuses a number that is not open', () => {
    throws(() => Connection.fromFd(44_977_608), { code: 'EBADF', syscall: 'fstat' });
  });

  for (const path of ['/proc/self/stat', '/dev/null', '/dev/ptmx', '/']) {
    it(`refuses ${path}, and leaves it open`, () => {
      const fd = openFd(path, path === '/dev/ptmx' ? 'r+' : 'r');
      throws(() => Connection.fromFd(fd), { code: 'ERR_INVALID_ARG_TYPE' });
      fstatSync(fd);
    });
  }

  it('refuses a datagram socket, and leaves it open', async () => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { fd } = (socket as unknown as Record<symbol, { handle: { fd: number } }>)[
      Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol') as symbol
    ]?.handle as { fd: number };
    throws(() => Connection.fromFd(fd), { code: 'ERR_INVALID_ARG_TYPE' });
    socket.close();
    await once(socket, 'close');
  });

  it('refuses a listening socket, and leaves it open', async () => {
    const server: Server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    throws(() => Connection.fromFd(fdOf(server)), { code: 'ERR_INVALID_ARG_TYPE' });
    server.close();
    await once(server, 'close');
  });

  it('checks every option before it adopts the descriptor', () => {
    const { reader } = makePair('pipe');
    const fd = copyFd(reader);
    for (const [options, code] of [
      [{ serialization: 'pickled' }, 'ERR_INVALID_ARG_TYPE'],
      [{ serialization: {} }, 'ERR_INVALID_ARG_TYPE'],
      [{ maxMessageBytes: -1 }, 'ERR_OUT_OF_RANGE'],
      [{ maxMessageBytes: 1.5 }, 'ERR_OUT_OF_RANGE'],
      [{ maxMessageBytes: '9' }, 'ERR_INVALID_ARG_TYPE'],
      [{ readAhead: 1 }, 'ERR_INVALID_ARG_TYPE'],
      [{ spinMicros: -1 }, 'ERR_OUT_OF_RANGE'],
      [{ spinMicros: NaN }, 'ERR_OUT_OF_RANGE'],
      [{ spinMicros: '1' }, 'ERR_INVALID_ARG_TYPE'],
      [{ exitFlushMs: NaN }, 'ERR_OUT_OF_RANGE'],
      [{ exitFlushMs: '1' }, 'ERR_INVALID_ARG_TYPE'],
      [null, 'ERR_INVALID_ARG_TYPE'],
      ['json', 'ERR_INVALID_ARG_TYPE'],
    ] as [never, string][]) {
      throws(() => Connection.fromFd(fd, options), { code });
    }
    fstatSync(fd);
    track(Connection.fromFd(forgetFd(fd)));
  });
});
