// SPDX-License-Identifier: MIT
//
// A message is no command. Pickles with tickets for Connections make their receiver connect only to its own user's processes,
// and only over channels that were made for it.
import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

import { expect } from 'chai';
import {
  attach,
  Client,
  Connection,
  describe as describeObject,
  Pipe,
  wait,
  type ConnectionOptions,
} from 'node-multiprocessing';

import {
  listen,
  modes,
  ownTmpdir,
  rejects,
  throws,
  track,
  turns,
  via,
  within,
  type AnyConnection,
} from '../helpers/index.js';

/** A pickle of a Connection, as Python sends it, whose descriptor is to be had at this address. */
function ticket(address: string): Buffer {
  const id = address.replace('\0', '\\x00');
  return Buffer.from(
    'cmultiprocessing.connection\nrebuild_connection\n(cmultiprocessing.resource_sharer\nDupFd\n)' +
      `R(dS'_id'\n(S'${id}'\nI1\ntsbI01\nI01\ntR.`,
    'latin1',
  );
}

/** A program that listens at a path, and counts the connections. */
async function serve(path: string): Promise<{ count(): number; close(): Promise<unknown> }> {
  let count = 0;
  const server: Server = createServer((socket) => {
    count++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { count: () => count, close: () => new Promise((resolve) => server.close(resolve)) };
}

function pipe(options?: ConnectionOptions): [AnyConnection, AnyConnection] {
  const [a, b] = Pipe(true, { serialization: 'pickle', ...options }) as unknown as [AnyConnection, AnyConnection];
  return [track(a), track(b)];
}

/** The two ends of a connection through a Listener: the accepted one, and the Client's. */
async function accepted(options: ConnectionOptions = {}): Promise<[AnyConnection, AnyConnection]> {
  const listener = listen('unix', { serialization: 'pickle', ...options });
  const accepting = listener.accept();
  const client = track((await Client(listener.address, { serialization: 'pickle', ...options })) as AnyConnection);
  return [track(await accepting), client];
}

function adopted(options: ConnectionOptions = {}): [AnyConnection, AnyConnection] {
  const [a, b] = pipe();
  const { fd } = (describeObject(a) as { descriptor: { fd: number } }).descriptor;
  const copy = Connection.fromFd(dupOf(fd), { serialization: 'pickle', ...options });
  return [track(copy as AnyConnection), b];
}

/** Another descriptor for the same socket. */
function dupOf(fd: number): number {
  const [a, b] = pipe();
  a.sendHandleSync(fd);
  return b.recvHandleSync();
}

/** Passes a Connection on within this process, as to a child. */
function passedOn([a, b]: [AnyConnection, AnyConnection]): [AnyConnection, AnyConnection] {
  return [track(attach(describeObject(a) as never) as unknown as AnyConnection), b];
}

describe('A ticket in a pickle', function () {
  const tmpdir = ownTmpdir();

  for (const mode of modes) {
    const refused = (title: string, address: (folder: string) => string): void => {
      it(`leads to no socket of other programs: ${title} (${mode})`, async function () {
        // Regression: recv() connected to any path, and signed what it found there with the key of its processes.
        const path = address(tmpdir());
        const server = await serve(path);
        try {
          const [a, b] = pipe();
          await b.sendBytes(ticket(path));
          await b.send('next');
          await rejects(via(mode, a).recv(), { code: 'ERR_MP_UNPICKLING' });
          expect(await via(mode, a).recv()).to.equal('next');
          await turns();
          expect(server.count()).to.equal(0);
        } finally {
          await server.close();
          for (const name of ['service', 'mp-other', 'link'])
            rmSync(join(tmpdir(), name), { recursive: true, force: true });
        }
      });
    };

    refused('a path anywhere', (folder) => join(folder, 'service'));
    refused('an abstract address', () => `\0mp-test-ticket-${process.pid}-${mode}`);
    refused('a file with another name', (folder) => {
      mkdirSync(join(folder, 'mp-other'), { mode: 0o700 });
      return join(folder, 'mp-other', 'agent');
    });
    refused('a folder that others can enter', (folder) => {
      mkdirSync(join(folder, 'mp-other'));
      chmodSync(join(folder, 'mp-other'), 0o755);
      return join(folder, 'mp-other', 'listener');
    });
    refused('a link to a folder', (folder) => {
      mkdirSync(join(folder, 'service'), { mode: 0o700 });
      symlinkSync(join(folder, 'service'), join(folder, 'mp-other'));
      return join(folder, 'mp-other', 'listener');
    });

    const channels: [string, (options?: ConnectionOptions) => Promise<[AnyConnection, AnyConnection]>][] = [
      ['a connection of a Listener', accepted],
      [
        'a connection of a Client',
        async (options) => (await accepted(options)).reverse() as [AnyConnection, AnyConnection],
      ],
      ['fromFd', (options) => Promise.resolve(adopted(options))],
      ['a connection of a Listener that was passed on', async (options) => passedOn(await accepted(options))],
      ['a Pipe that does not take any', () => Promise.resolve(pipe({ takesConnections: false }))],
    ];
    for (const [name, make] of channels) {
      it(`is refused on ${name} (${mode})`, async function () {
        const sharer = listen('unix');
        const asked = sharer.accept({ timeout: 0 });
        const [a, b] = await make();
        await b.sendBytes(ticket(String(sharer.address)));
        await b.send('next');
        await rejects(via(mode, a).recv(), { code: 'ERR_MP_UNPICKLING' });
        expect(await via(mode, a).recv()).to.equal('next');
        await rejects(asked, { code: 'ERR_MP_TIMEOUT' });
        await rejects(sharer.accept({ timeout: 0 }), { code: 'ERR_MP_TIMEOUT' });
      });
    }
  }

  // Regression: while a sender was slow to hand out a descriptor, no later message was received, for ten seconds.
  it('holds up the receive that has got its message, and no later one', async function () {
    mkdirSync(join(tmpdir(), 'mp-slow'), { mode: 0o700 });
    const path = join(tmpdir(), 'mp-slow', 'listener');
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const asked = async (count: number): Promise<void> => {
      while (sockets.length < count) await turns();
    };
    const [a, b] = pipe();
    for (let i = 0; i < 2; i++) {
      await b.sendBytes(ticket(path));
      await b.send(`${i}`);
    }
    const first = a.recv();
    expect(await a.recv()).to.equal('0');
    await rejects(a.recv({ timeout: 20 }), { code: 'ERR_MP_TIMEOUT' });
    // The message that was given up is the next one, and its sender answers now. That of the first receive does not.
    throws(() => a.recvSync({ timeout: 0 }), { code: 'ERR_MP_BUSY' });
    const again = a.recv();
    const last = a.recv();
    expect(await last).to.equal('1');
    await asked(2);
    sockets[1]!.destroy();
    await rejects(again, { code: 'ERR_MP_UNPICKLING' });
    await b.sendBytes(ticket(path));
    const [third, fourth] = [a.recv({ signal: AbortSignal.timeout(20) }), a.recv()];
    await rejects(third, { code: 'ABORT_ERR' });
    await asked(3);
    const closed = [first, fourth].map((receive) => rejects(receive, { code: 'ERR_MP_CLOSED' }));
    a.close();
    await Promise.all(closed);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(join(tmpdir(), 'mp-slow'), { recursive: true, force: true });
  });

  it('counts as something to receive until it is collected', async function () {
    // Regression: poll and wait did not end, also when the Connection had been collected.
    mkdirSync(join(tmpdir(), 'mp-silent'), { mode: 0o700 });
    const path = join(tmpdir(), 'mp-silent', 'listener');
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const [a, b] = pipe();
    await b.send('first');
    await b.sendBytes(ticket(path));
    expect(await a.recvMany()).to.deep.equal(['first']);
    expect(a.pollSync()).to.equal(true);
    expect(a.tryRecv()).to.equal(undefined);
    expect(await a.poll()).to.equal(true);
    expect(await within(30_000, wait([a]), 'wait')).to.deep.equal([a]);
    while (sockets.length === 0) await turns();
    for (const socket of sockets) socket.destroy();
    await rejects(a.recv(), { code: 'ERR_MP_UNPICKLING' });
    expect(await a.poll()).to.equal(false);
    await new Promise((resolve) => server.close(resolve));
    rmSync(join(tmpdir(), 'mp-silent'), { recursive: true, force: true });
  });

  // Regression: a TMPDIR that no longer exists was an ENOENT error.
  it('has its socket in the next temporary folder if TMPDIR cannot be used', async () => {
    process.env['TMPDIR'] = join(tmpdir(), 'missing');
    const [a, b] = pipe();
    const [reader, writer] = Pipe(false, { serialization: 'pickle' });
    track(reader);
    await b.send([writer]);
    writer.close();
    const [received] = (await a.recv()) as [AnyConnection];
    await track(received).send('collected');
    expect(await reader.recv()).to.equal('collected');
  });

  it('is collected on a connection of a Listener with takesConnections', async function () {
    const [a, b] = await accepted({ takesConnections: true });
    const [reader, writer] = Pipe(false, { serialization: 'pickle' });
    track(reader);
    await b.send({ writer });
    writer.close();
    const { writer: received } = (await a.recv()) as { writer: AnyConnection };
    await track(received).send('collected');
    expect(await reader.recv()).to.equal('collected');
  });
});
