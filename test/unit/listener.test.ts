// SPDX-License-Identifier: MIT
import { existsSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { serialize } from 'node:v8';

import { expect } from 'chai';
import { Client, ClientSync, Listener } from 'node-multiprocessing';

import { RANGE } from '../helpers/arguments.js';
import {
  acceptVia,
  connectedPair,
  connectVia,
  families,
  flagsOf,
  listen,
  modes,
  ownTmpdir,
  pattern,
  refuses,
  rejects,
  throws,
  track,
  useUpTurn,
  via,
} from '../helpers/index.js';

/** The numbers of this process' sockets. */
function sockets(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
      } catch {
        return false;
      }
    });
}

describe('Listener', () => {
  const folder = ownTmpdir();

  for (const family of families) {
    for (const mode of modes) {
      it(`connects two ends that are like those of a Pipe (${family}, ${mode})`, async () => {
        const listener = listen(family);
        expect(listener.lastAccepted).to.equal(undefined);
        // The kernel accepts before the Listener does.
        const connected = await connectVia(mode, listener.address);
        const accepted = await acceptVia(mode, listener);
        expect([connected.readable, connected.writable]).to.deep.equal([true, true]);
        for (const [from, to] of [
          [connected, accepted],
          [accepted, connected],
        ] as const) {
          await via(mode, from).send({ any: new Set(['object']) });
          expect(await via(mode, to).recv()).to.deep.equal({ any: new Set(['object']) });
        }
        const sent = connected.sendBytes(pattern(3_000_000));
        expect((await accepted.recvBytes()).equals(pattern(3_000_000))).to.equal(true);
        await sent;
        connected.close();
        await rejects(via(mode, accepted).recv(), { code: 'ERR_MP_EOF' });
      });
    }

    it(`accepts a waiting client with a timeout of 0, even if the call has to wait for its turn (${family})`, async () => {
      const listener = listen(family);
      const connected = await connectVia('async', listener.address);
      await useUpTurn();
      const accepted = await acceptVia('async', listener, { timeout: 0 });
      await connected.send('patient');
      expect(await accepted.recv()).to.equal('patient');
      await useUpTurn();
      await rejects(listener.accept({ timeout: 0 }), { code: 'ERR_MP_TIMEOUT' });
    });

    it(`has only descriptors that are close-on-exec and blocking (${family})`, async () => {
      const before = new Set(sockets());
      const listener = listen(family);
      const { accepted, connected } = await connectedPair(listener);
      const fds = sockets().filter((fd) => !before.has(fd));
      expect(fds).to.include.members([accepted.fileno(), connected.fileno()]).and.have.length(3);
      for (const fd of fds) expect(flagsOf(fd)).to.deep.equal({ closeOnExec: true, nonBlocking: false });
    });

    it(`serves accepts in the order of the calls, and clients in the order of their arrival (${family})`, async () => {
      const listener = listen(family);
      const accepting = [0, 1, 2].map(() => acceptVia('async', listener));
      for (const n of [0, 1, 2]) await (await connectVia('async', listener.address)).send(n);
      for (const [n, accepted] of accepting.entries()) expect(await (await accepted).recv()).to.equal(n);
    });

    it(`accepts many at once, for unix sockets more than the backlog has room for (${family})`, async () => {
      // With a full TCP backlog the kernel drops what comes, and the client tries again after seconds.
      const listener = listen(family, family === 'tcp' ? {} : { backlog: 1 });
      const connecting = Array.from({ length: 20 }, () => connectVia('async', listener.address, { timeout: 50_000 }));
      for (let i = 0; i < 20; i++) await (await acceptVia('async', listener)).send(i);
      const received = await Promise.all(connecting.map(async (connection) => (await connection).recv()));
      expect(received.sort((a, b) => Number(a) - Number(b))).to.deep.equal(Array.from({ length: 20 }, (_, i) => i));
    });

    it(`refuses clients after close(), which ends pending accepts (${family})`, async () => {
      const listener = listen(family);
      const pending = [listener.accept(), listener.accept()];
      const { address } = listener;
      listener.close();
      listener.close();
      for (const accept of pending) await rejects(accept, { code: 'ERR_MP_CLOSED' });
      expect(listener.closed).to.equal(true);
      expect(listener.address).to.deep.equal(address);
      await rejects(listener.accept(), { code: 'ERR_MP_CLOSED' });
      throws(() => listener.acceptSync(), { code: 'ERR_MP_CLOSED' });
      const code = family === 'unix' ? 'ENOENT' : 'ECONNREFUSED';
      await rejects(Client(address), { code, syscall: 'connect' });
      throws(() => ClientSync(address), { code, syscall: 'connect' });
    });

    it(`leaves its connections open when it is closed (${family})`, async () => {
      const listener = listen(family);
      const { accepted, connected } = await connectedPair(listener);
      listener.close();
      await accepted.send('still here');
      expect(await connected.recv()).to.equal('still here');
    });

    it(`is EADDRINUSE for a second one at the same address (${family})`, () => {
      const listener = listen(family, family === 'unix' ? { address: join(folder(), 'socket') } : {});
      throws(() => new Listener({ address: listener.address }), { code: 'EADDRINUSE', syscall: 'bind' });
      listener.close();
      listen(family, { address: listener.address });
    });

    for (const mode of modes) {
      it(`loses no client by a timeout (${family}, ${mode})`, async () => {
        const listener = listen(family);
        for (const timeout of [0, 20, -5]) {
          await rejects(acceptVia(mode, listener, { timeout }), { code: 'ERR_MP_TIMEOUT' });
        }
        const connected = await connectVia('async', listener.address);
        await connected.send('late');
        expect(await (await acceptVia(mode, listener, { timeout: 50_000 })).recv()).to.equal('late');
      });
    }

    it(`accepts in an asynchronous loop until it is closed (${family})`, async () => {
      const listener = listen(family);
      const received: unknown[] = [];
      const loop = (async () => {
        for await (const connection of listener) {
          received.push(await track(connection).recv());
          if (received.length === 3) listener.close();
        }
      })();
      for (const n of [0, 1, 2]) await (await connectVia('async', listener.address)).send(n);
      await loop;
      expect(received).to.deep.equal([0, 1, 2]);
    });
  }

  it('makes its default path in a folder that only this user can enter, and removes both', () => {
    const listener = listen('unix');
    const path = listener.address as string;
    expect(path.startsWith(`${folder()}/mp-`)).to.equal(true);
    expect(statSync(join(path, '..')).mode & 0o777).to.equal(0o700);
    expect(statSync(path).isSocket()).to.equal(true);
    listener.close();
    expect(readdirSync(folder())).to.deep.equal([]);
  });

  it('makes its default path in /tmp if the path would be too long for a socket', () => {
    const long = join(folder(), 'x'.repeat(90));
    process.env['TMPDIR'] = long;
    const listener = listen('unix');
    expect(listener.address).to.match(/^\/tmp\/mp-\w{6}\/listener$/);
    listener.close();
    expect(existsSync(join(listener.address as string, '..'))).to.equal(false);
  });

  // Regression: a TMPDIR that no longer exists was an ENOENT error.
  it('makes its default path in the next temporary folder if one cannot be used, as Python does', () => {
    const names = ['TMPDIR', 'TEMP', 'TMP'] as const;
    const before = names.map((name) => process.env[name]);
    writeFileSync(join(folder(), 'file'), '');
    process.env['TMPDIR'] = join(folder(), 'missing');
    process.env['TEMP'] = join(folder(), 'file');
    process.env['TMP'] = folder();
    const listener = listen('unix');
    expect((listener.address as string).startsWith(`${folder()}/mp-`)).to.equal(true);
    listener.close();
    process.env['TMP'] = join(folder(), 'missing');
    rmSync(join(folder(), 'file'));
    const last = listen('unix');
    expect(last.address).to.match(/^\/tmp\/mp-\w{6}\/listener$/);
    last.close();
    for (const [i, name] of names.entries()) {
      if (before[i] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before[i];
    }
  });

  // Regression: the file of a relative path stayed.
  it('removes its file after a change of the working directory', () => {
    const cwd = process.cwd();
    process.chdir(folder());
    const listener = listen('unix', { address: 'relative' });
    process.chdir('/');
    listener.close();
    process.chdir(cwd);
    expect(existsSync(join(folder(), 'relative'))).to.equal(false);
  });

  it('removes only its own file', () => {
    const path = join(folder(), 'socket');
    const listener = listen('unix', { address: path });
    rmSync(path);
    writeFileSync(path, 'another file');
    listener.close();
    expect(existsSync(path)).to.equal(true);
    throws(() => new Listener({ address: path }), { code: 'EADDRINUSE', syscall: 'bind' });
    rmSync(path);
  });

  it('leaves a folder that contains another file', () => {
    const listener = listen('unix');
    const beside = join(listener.address as string, '..', 'beside');
    writeFileSync(beside, '');
    listener.close();
    expect(readdirSync(join(beside, '..'))).to.deep.equal(['beside']);
    rmSync(join(beside, '..'), { recursive: true });
  });

  it('takes nothing and leaves nothing if the address is not available', () => {
    throws(() => new Listener({ address: join(folder(), 'missing', 'socket') }), { code: 'ENOENT', syscall: 'bind' });
    expect(readdirSync(folder())).to.deep.equal([]);
  });

  it('reports the address of a TCP client', async () => {
    const listener = listen('tcp');
    const { connected } = await connectedPair(listener);
    const [host, port] = listener.lastAccepted as [string, number];
    expect(host).to.equal('127.0.0.1');
    expect(port)
      .to.be.greaterThan(0)
      .and.not.equal((listener.address as [string, number])[1]);
    connected.close();
    expect(listen('unix').lastAccepted).to.equal(undefined);
  });

  it('reports "" as the address of a unix client', async () => {
    const listener = listen('unix');
    await connectedPair(listener);
    expect(listener.lastAccepted).to.equal('');
  });

  it('accepts from every interface only if the address says so', async () => {
    for (const host of ['', '0.0.0.0', '192.0.2.1']) {
      await refuses(() => new Listener({ address: [host, 0] }), 'address[0]', RANGE);
      await refuses(() => Client([host, 80]), 'address[0]', RANGE);
    }
    const listener = listen('tcp', { address: ['', 0], remote: true });
    expect((listener.address as [string, number])[0]).to.equal('0.0.0.0');
    const [, port] = listener.address as [string, number];
    const accepted = acceptVia('async', listener);
    const connected = await connectVia('async', ['localhost', port]);
    await connected.send('through loopback all the same');
    expect(await (await accepted).recv()).to.equal('through loopback all the same');
    // 192.0.2.1 is reserved for documentation; no machine has it.
    throws(() => new Listener({ address: ['192.0.2.1', 0], remote: true }), { code: 'EADDRNOTAVAIL', syscall: 'bind' });
  });

  it('accepts at every loopback address', async () => {
    const listener = listen('tcp', { address: ['127.9.8.7', 0] });
    expect((listener.address as [string, number])[0]).to.equal('127.9.8.7');
    await connectedPair(listener);
  });

  it('ends an accept by its signal, also before the accept begins', async () => {
    const listener = listen('unix');
    const reason = new Error('enough');
    const controller = new AbortController();
    const pending = listener.accept({ signal: controller.signal });
    controller.abort(reason);
    await rejects(pending, { code: 'ABORT_ERR', name: 'AbortError', cause: reason });
    await rejects(listener.accept({ signal: controller.signal }), { code: 'ABORT_ERR' });
    throws(() => listener.acceptSync({ signal: controller.signal }), { code: 'ABORT_ERR' });
    await connectedPair(listener);
  });

  it('throws BusyError for a Sync accept while an asynchronous one is pending', async () => {
    const listener = listen('unix');
    const pending = acceptVia('async', listener);
    throws(() => listener.acceptSync({ timeout: 0 }), { code: 'ERR_MP_BUSY' });
    await connectVia('sync', listener.address);
    await pending;
  });

  it('lets timers run while accepts never have to wait', async () => {
    const listener = listen('unix', { backlog: 128 });
    let timers = 0;
    const timer = setInterval(() => timers++, 1);
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 100; i++) ClientSync(listener.address).close();
      const before = timers;
      const end = performance.now() + 5;
      while (performance.now() < end);
      for (let i = 0; i < 100; i++) (await listener.accept()).close();
      expect(timers).to.be.greaterThan(before);
    }
    clearInterval(timer);
  });

  it('passes the options of a Connection on', async () => {
    const upper = {
      serialize: (value: unknown) => Buffer.from(String(value)),
      deserialize: (bytes: Uint8Array) => bytes.length,
    };
    const listener = listen('unix', { serialization: upper, maxMessageBytes: 10 });
    const { accepted, connected } = await connectedPair(listener);
    await connected.sendBytes(Buffer.from('four'));
    expect(await accepted.recv()).to.equal(4);
    await connected.sendBytes(Buffer.from('more than ten'));
    await rejects(accepted.recv(), { code: 'ERR_MP_BAD_MESSAGE_LENGTH' });
    const chosen = listen('unix');
    const accepting = acceptVia('async', chosen);
    const json = await connectVia('async', chosen.address, { serialization: 'json' });
    await (await accepting).sendBytes(Buffer.from('{"a":[1]}'));
    expect(await json.recv()).to.deep.equal({ a: [1] });
  });

  it('takes the serialization from the first message, unless it was chosen', async () => {
    const listener = listen('unix');
    const first = await connectedPair(listener);
    await first.connected.sendBytes(serialize({ structured: 1 }));
    expect(await first.accepted.recv()).to.deep.equal({ structured: 1 });
  });

  it('cannot be part of a message, and shows what it is', async () => {
    const listener = listen('tcp');
    const { connected } = await connectedPair(listener);
    await rejects(connected.send({ listener }), { code: 'ERR_MP_NOT_SUPPORTED' });
    const [host, port] = listener.address as [string, number];
    expect(inspect(listener)).to.equal(`Listener { address: ${host}:${port} }`);
    listener.close();
    expect(inspect(listener)).to.equal('Listener { closed }');
    expect(inspect(listen('abstract'))).to.match(/^Listener { address: @mp-test-[\d-]+ }$/);
  });

  it('closes at the end of a block', async () => {
    const listener = new Listener();
    listener[Symbol.dispose]();
    expect(listener.closed).to.equal(true);
    const other = new Listener();
    await other[Symbol.asyncDispose]();
    expect(other.closed).to.equal(true);
  });
});
