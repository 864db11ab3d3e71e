// SPDX-License-Identifier: MIT
import { expect } from 'chai';

import {
  authenticateClient,
  authenticateListener,
  createResponse,
  verifyResponse,
  type Talk,
} from '#lib/listener/authentication.js';
import { AuthenticationError, type ListenerOptions } from 'node-multiprocessing';

import {
  acceptVia,
  connectVia,
  families,
  frame,
  header,
  instance,
  listen,
  modes,
  ownTmpdir,
  rejects,
  throws,
  turns,
  via,
  writeRaw,
  type AnyConnection,
  type AnyListener,
} from '../helpers/index.js';
import { freshSeed, Random } from '../helpers/random.js';

const KEY = Buffer.from('supadupasecretkey');
const AUTH = { code: 'ERR_MP_AUTHENTICATION', name: 'AuthenticationError' };

describe('A Listener with a key', () => {
  ownTmpdir();

  function listenWithKey(options: ListenerOptions = {}): AnyListener {
    return listen('unix', { authkey: KEY, ...options });
  }

  async function expectServed(listener: AnyListener, accepting = acceptVia('async', listener)): Promise<AnyConnection> {
    const connected = await connectVia('async', listener.address, { authkey: KEY, timeout: 50_000 });
    const accepted = await accepting;
    await connected.send('welcome');
    expect(await accepted.recv()).to.equal('welcome');
    return accepted;
  }

  for (const family of families) {
    it(`accepts every client with the key (${family})`, async () => {
      const listener = listen(family, { authkey: KEY });
      for (let i = 0; i < 3; i++) await expectServed(listener);
      if (family === 'tcp') expect((listener.lastAccepted as [string, number])[0]).to.equal('127.0.0.1');
    });
  }

  it('test_empty_authkey authenticates with an empty key, which is not the same as none', async () => {
    const listener = listen('unix', { authkey: Buffer.alloc(0) });
    const accepting = acceptVia('async', listener);
    const connected = await connectVia('async', listener.address, { authkey: Buffer.alloc(0) });
    await connected.send(1);
    expect(await (await accepting).recv()).to.equal(1);
    const refusing = listener.accept();
    const refused = connectVia('async', listener.address, { authkey: KEY });
    await Promise.all([rejects(refusing, AUTH), rejects(refused, AUTH)]);
  });

  it('refuses another key at once, on both sides, and goes on', async () => {
    const listener = listenWithKey();
    const refusing = listener.accept();
    const refused = connectVia('async', listener.address, { authkey: Buffer.from('wrong') });
    await Promise.all([rejects(refusing, AUTH), rejects(refused, AUTH)]);
    await expectServed(listener);
  });

  it("sends its challenge as a message to a peer without a key, and refuses the peer's first message", async () => {
    const listener = listenWithKey();
    const refusing = listener.accept();
    const plain = await connectVia('async', listener.address);
    expect((await plain.recvBytes()).toString('latin1', 0, 19)).to.equal('#CHALLENGE#{sha256}');
    await plain.send({ just: 'an object' });
    await rejects(refusing, AUTH);
    expect(String(await plain.recvBytes())).to.equal('#FAILURE#');
    await rejects(plain.recvBytes(), { code: 'ERR_MP_EOF' });
  });

  it('is required by a Client with a key: what a Listener without a key sends is refused', async () => {
    const listener = listen('unix');
    const accepting = acceptVia('async', listener);
    const connecting = connectVia('async', listener.address, { authkey: KEY });
    await (await accepting).sendBytes(Buffer.from('no challenge'));
    await rejects(connecting, AUTH);
    await rejects((await accepting).recvBytes(), { code: 'ERR_MP_EOF' });
  });

  it('is refused by a Client if it proves nothing', async () => {
    const listener = listen('unix');
    const accepting = acceptVia('async', listener);
    const connecting = connectVia('async', listener.address, { authkey: KEY });
    const impostor = await accepting;
    await impostor.sendBytes(Buffer.from(`#CHALLENGE#{sha256}${'x'.repeat(40)}`));
    expect((await impostor.recvBytes()).toString('latin1', 0, 8)).to.equal('{sha256}');
    await impostor.sendBytes(Buffer.from('#WELCOME#'));
    const challenge = await impostor.recvBytes();
    // An answer that can be computed without the key: that with the empty key.
    await impostor.sendBytes(createResponse(Buffer.alloc(0), challenge.subarray(11)));
    await rejects(connecting, AUTH);
    expect(String(await impostor.recvBytes())).to.equal('#FAILURE#');
  });

  it('passes over refused clients in an asynchronous loop', async () => {
    const listener = listenWithKey();
    const received: unknown[] = [];
    const loop = (async () => {
      for await (const connection of listener) {
        received.push(await connection.recv());
        connection.close();
        if (received.length === 2) listener.close();
      }
    })();
    for (const value of [1, 2]) {
      await rejects(connectVia('async', listener.address, { authkey: Buffer.from('wrong') }), AUTH);
      await (await connectVia('async', listener.address, { authkey: KEY })).send(value);
    }
    await loop;
    expect(received).to.deep.equal([1, 2]);
  });

  it('serves others while peers are silent, and refuses these after authTimeout', async () => {
    const listener = listenWithKey({ authTimeout: 300 });
    const silent: AnyConnection[] = [];
    for (let i = 0; i < 10; i++) silent.push(await connectVia('async', listener.address));
    await expectServed(listener);
    const refusals = await Promise.all(silent.map(() => rejects(listener.accept(), AUTH)));
    expect(refusals).to.have.length(10);
    for (const connection of silent) {
      await connection.recvBytes();
      await rejects(connection.recvBytes(), { code: 'ERR_MP_EOF' });
    }
    await expectServed(listener);
  });

  it('holds at most maxHandshakes peers at a time, and then waits until one has ended', async () => {
    const listener = listenWithKey({ maxHandshakes: 2 });
    const [first, second] = [await connectVia('async', listener.address), await connectVia('async', listener.address)];
    const accepting = acceptVia('async', listener);
    await first.recvBytes();
    await second.recvBytes();
    const third = connectVia('async', listener.address, { authkey: KEY });
    let settled = false;
    void third.finally(() => (settled = true));
    await turns(10);
    expect(settled).to.equal(false);
    // The peer ends together with an accept of its own, which reports that.
    first.close();
    await rejects(accepting, AUTH);
    const accepted = await acceptVia('async', listener);
    await (await third).send(3);
    expect(await accepted.recv()).to.equal(3);
  });

  it('accepts later a client that was authenticating when an accept timed out', async () => {
    const listener = listenWithKey();
    const connecting = connectVia('async', listener.address, { authkey: KEY });
    await rejects(listener.accept({ timeout: 0 }), { code: 'ERR_MP_TIMEOUT' });
    // The Listener goes on with the authentication, though no accept is pending.
    await (await connecting).send('patient');
    expect(await (await acceptVia('async', listener)).recv()).to.equal('patient');
  });

  it('forgets a client that was refused while no accept was pending', async () => {
    const listener = listenWithKey();
    const refused = connectVia('async', listener.address, { authkey: Buffer.from('wrong') });
    await rejects(listener.accept({ timeout: 0 }), { code: 'ERR_MP_TIMEOUT' });
    await rejects(refused, AUTH);
    await expectServed(listener);
  });

  it('closes unfinished and unaccepted clients with itself', async () => {
    const listener = listenWithKey();
    const silent = await connectVia('async', listener.address);
    const connecting = connectVia('async', listener.address, { authkey: KEY });
    await rejects(listener.accept({ timeout: 0 }), { code: 'ERR_MP_TIMEOUT' });
    const connected = await connecting;
    await silent.recvBytes();
    // The last message of the authentication is read. Unread data would make the end a reset.
    await turns(10);
    listener.close();
    await rejects(silent.recvBytes(), { code: 'ERR_MP_EOF' });
    await rejects(connected.recvBytes(), { code: 'ERR_MP_EOF' });
  });

  it('serves several peers at a time in a Sync accept, too', async () => {
    const listener = listenWithKey({ authTimeout: 200 });
    const silent = [await connectVia('async', listener.address), await connectVia('async', listener.address)];
    for (const connection of silent) expect(connection.closed).to.equal(false);
    throws(() => listener.acceptSync({ timeout: 0 }), { code: 'ERR_MP_TIMEOUT' });
    throws(() => listener.acceptSync({ timeout: 20 }), { code: 'ERR_MP_TIMEOUT' });
    for (const connection of silent) {
      throws(() => listener.acceptSync(), AUTH);
      connection.recvBytesSync();
    }
    for (const connection of silent) throws(() => connection.recvBytesSync(), { code: 'ERR_MP_EOF' });
    await expectServed(listener);
  });

  it('puts the reason for a broken authentication into the error', async () => {
    const listener = listenWithKey();
    const hostile: [Buffer, string][] = [
      [header(-2), 'ERR_MP_BAD_MESSAGE_LENGTH'],
      [header(257), 'ERR_MP_BAD_MESSAGE_LENGTH'],
      [header(2 ** 31 - 1), 'ERR_MP_BAD_MESSAGE_LENGTH'],
      [header(2n ** 62n, true), 'ERR_MP_BAD_MESSAGE_LENGTH'],
      [Buffer.from('GET '), 'ERR_MP_BAD_MESSAGE_LENGTH'],
      [header(40).subarray(0, 3), 'ERR_MP_TRUNCATED'],
      [frame('half of a message').subarray(0, 12), 'ERR_MP_TRUNCATED'],
      [Buffer.alloc(0), 'ERR_MP_EOF'],
    ];
    for (const [bytes, cause] of hostile) {
      const refusing = listener.accept();
      const peer = await connectVia('async', listener.address);
      // With the challenge unread, the end would be a reset.
      await peer.recvBytes();
      writeRaw(peer, bytes);
      if (!cause.endsWith('LENGTH')) peer.close();
      const error = instance(await rejects(refusing, AUTH), AuthenticationError);
      expect((error.cause as { code: string }).code, bytes.toString('hex')).to.equal(cause);
      if (cause.endsWith('LENGTH')) expect(await peer.poll(10_000)).to.equal(true);
    }
    await expectServed(listener);
  });

  it('refuses a peer that sends a descriptor instead, and closes the descriptor', async () => {
    const listener = listenWithKey();
    const refusing = listener.accept();
    const peer = await connectVia('async', listener.address);
    await peer.sendHandle(0);
    const error = await rejects(refusing, AUTH);
    expect((error.cause as { code: string }).code).to.equal('EBADMSG');
  });

  it('refuses a peer that floods at once, and does not keep its bytes', async () => {
    const listener = listenWithKey();
    const refusing = listener.accept();
    const peer = await connectVia('async', listener.address);
    const flood = peer.sendBytes(Buffer.alloc(64 * 1024 * 1024));
    await rejects(refusing, AUTH);
    await rejects(flood, { code: 'EPIPE' });
    await expectServed(listener);
  });

  it('takes what follows the authentication as the first message', async () => {
    const listener = listenWithKey();
    const accepting = acceptVia('async', listener);
    const peer = await connectVia('async', listener.address);
    const challenge = await peer.recvBytes();
    // Everything else that this side has to send, in one piece. Only the answer to the challenge depends on the other
    // side.
    const ours = Buffer.from(`{sha256}${'x'.repeat(40)}`);
    await peer.sendBytes(createResponse(KEY, challenge.subarray(11)));
    writeRaw(
      peer,
      Buffer.concat([
        frame(Buffer.concat([Buffer.from('#CHALLENGE#'), ours])),
        frame('#WELCOME#'),
        frame('first'),
        frame(''),
        frame('third'),
      ]),
    );
    const accepted = await accepting;
    for (const text of ['first', '', 'third']) expect(String(await accepted.recvBytes())).to.equal(text);
    expect(String(await peer.recvBytes())).to.equal('#WELCOME#');
    verifyResponse(KEY, ours, await peer.recvBytes());
  });

  const seed = freshSeed();
  for (const side of ['Listener', 'Client'] as const) {
    it(`and its Client survive 300 authentications that are changed at random (${side}, SEED=${seed})`, async function () {
      const random = new Random(seed);
      const listener = listen('unix', side === 'Listener' ? { authkey: KEY } : {});
      let refused = 0;
      for (let i = 0; i < 300; i++) {
        const accepting = listener.accept().then(
          (connection) => ({ connection: connection as AnyConnection }),
          (error: unknown) => ({ error }),
        );
        const connecting = connectVia('async', listener.address, side === 'Client' ? { authkey: KEY } : {}).then(
          (connection) => ({ connection }),
          (error: unknown) => ({ error }),
        );
        const [judged, other] = side === 'Listener' ? [accepting, connecting] : [connecting, accepting];
        const { connection } = (await other) as { connection: AnyConnection };
        await misbehave(connection, side === 'Listener' ? authenticateListener(KEY) : authenticateClient(KEY), random);
        connection.close();
        const result = await judged;
        if ('error' in result) {
          expect(result.error).to.be.instanceOf(AuthenticationError);
          refused++;
        } else {
          result.connection.close();
        }
      }
      // Some changes come too late to have an effect; most do not.
      expect(refused).to.be.greaterThan(100);
      if (side === 'Listener') await expectServed(listener);
    });
  }
});

/**
 * Plays one side of an authentication, and changes one of its messages: cut off, longer, with other bytes, or twice.
 */
async function misbehave(connection: AnyConnection, talk: Talk, random: Random): Promise<void> {
  const victim = random.below(2);
  let sent = 0;
  try {
    let next = talk.next();
    while (next.done !== true) {
      if (next.value === undefined) {
        next = talk.next(await connection.recvBytes());
        continue;
      }
      let bytes = frame(next.value);
      if (sent++ === victim) {
        const place = random.below(bytes.length);
        switch (random.below(5)) {
          case 0:
            writeRaw(connection, bytes.subarray(0, place));
            return;
          case 1:
            bytes = Buffer.concat([bytes.subarray(0, place), random.bytes(1 + random.below(400))]);
            writeRaw(connection, bytes);
            return;
          case 2:
            bytes[place]! ^= 1 + random.below(255);
            if (place >= 4) break;
            // The other side may wait for more than will come.
            writeRaw(connection, bytes);
            return;
          case 3:
            bytes = Buffer.concat([bytes, bytes]);
            break;
          default:
            writeRaw(connection, random.bytes(random.below(300)));
            return;
        }
      }
      writeRaw(connection, bytes);
      next = talk.next(undefined as never);
    }
  } catch {
    // The other side has refused already.
  }
}
describe('Authentication over every form of waiting', () => {
  ownTmpdir();

  for (const mode of modes) {
    it(`leaves a Connection with all its functions (${mode})`, async () => {
      const listener = listen('unix', { authkey: KEY });
      const accepting = acceptVia('async', listener);
      const connected = await connectVia('async', listener.address, { authkey: KEY });
      const accepted = await accepting;
      await via(mode, accepted).send(new Map([[1, 2]]));
      expect(await via(mode, connected).recv()).to.deep.equal(new Map([[1, 2]]));
      expect(await via(mode, connected).poll(0)).to.equal(false);
      connected.close();
      await rejects(via(mode, accepted).recv(), { code: 'ERR_MP_EOF' });
    });
  }
});
