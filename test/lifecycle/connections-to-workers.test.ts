// SPDX-License-Identifier: MIT
//
// describe() and attach(): Connections for worker threads of the same process.
import { Worker } from 'node:worker_threads';

import { expect } from 'chai';
import { attach, describe as describeObject, Lock, Pipe, type Connection } from 'node-multiprocessing';

import { copyFd, forgetFd, rejects, throws, track, type AnyConnection } from '../helpers/index.js';

interface Task {
  readonly what: string;
  readonly descriptor: unknown;
}

/** A worker that does something with what it attaches, and posts what comes of it. */
class Helper {
  readonly #worker = new Worker(new URL('./children/attaching-worker.js', import.meta.url));
  readonly ended = new Promise((resolve) => this.#worker.once('exit', resolve));

  async ask(task: Task): Promise<unknown> {
    const answer = new Promise((resolve, reject) => {
      this.#worker.once('message', resolve);
      this.#worker.once('error', reject);
    });
    this.#worker.postMessage(task);
    return answer;
  }

  async end(): Promise<void> {
    this.#worker.postMessage({ what: 'end' });
    await this.ended;
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
    await this.ended;
  }
}

function pipe(duplex = true): [AnyConnection, AnyConnection] {
  const [a, b] = (duplex ? Pipe() : Pipe(false)) as unknown as [AnyConnection, AnyConnection];
  return [track(a), track(b)];
}

describe('A Connection described to a worker thread', () => {
  it('is the same stream there, in both directions, and JSON on its way', async () => {
    const [a, b] = pipe();
    const helper = new Helper();
    const descriptor = JSON.parse(JSON.stringify(describeObject(b))) as unknown;
    const answer = helper.ask({ what: 'echo', descriptor });
    await a.send({ some: 'value' });
    expect(await a.recv()).to.deep.equal({ some: 'value' });
    expect(await answer).to.equal('echoed');
    await helper.end();
  });

  it('gets what was read ahead here, in order', async () => {
    const [reader, writer] = pipe(false);
    for (const value of [1, 2, 3]) await writer.send(value);
    expect(await reader.recv()).to.equal(1);
    const helper = new Helper();
    // A worker opens descriptors when it starts, and might get the number of the one that is closed.
    await helper.ask({ what: 'nothing', descriptor: undefined });
    const descriptor = describeObject(reader);
    reader.close();
    // The worker has a copy of its own from the moment that it attaches; until then the descriptor must stay open.
    await rejects(helper.ask({ what: 'read all', descriptor }), { code: 'EBADF' });
    const again = new Helper();
    const [second, secondWriter] = pipe(false);
    for (const value of [1, 2, 3]) await secondWriter.send(value);
    expect(await second.recv()).to.equal(1);
    const answer = again.ask({ what: 'read all', descriptor: describeObject(second) });
    await secondWriter.send(4);
    secondWriter.close();
    expect(await answer).to.deep.equal([2, 3, 4]);
    second.close();
    await again.end();
  });

  it('is one more copy: the end of data comes when both threads have closed theirs', async () => {
    const [reader, writer] = pipe(false);
    const helper = new Helper();
    expect(await helper.ask({ what: 'keep', descriptor: describeObject(writer) })).to.equal('kept');
    await writer.send('from here');
    expect(await helper.ask({ what: 'send', descriptor: 'from there' })).to.equal('sent');
    expect([await reader.recv(), await reader.recv()]).to.deep.equal(['from here', 'from there']);
    writer.close();
    expect(await reader.poll(0)).to.equal(false);
    expect(await helper.ask({ what: 'send', descriptor: 'still there' })).to.equal('sent');
    expect(await reader.recv()).to.equal('still there');
    expect(await helper.ask({ what: 'close', descriptor: null })).to.equal('closed');
    await rejects(reader.recv(), { code: 'ERR_MP_EOF' });
    await helper.end();
  });

  it('is closed when the worker is ended, while the other copy goes on', async () => {
    const [a, b] = pipe();
    const helper = new Helper();
    expect(await helper.ask({ what: 'keep', descriptor: describeObject(b) })).to.equal('kept');
    await helper.terminate();
    await b.send('alive');
    expect(await a.recv()).to.equal('alive');
    b.close();
    await rejects(a.recv(), { code: 'ERR_MP_EOF' });
  });

  it('works in the same thread too: attach() makes one more Connection', async () => {
    const [a, b] = pipe();
    const copy = track(attach(describeObject(b) as never) as unknown as AnyConnection);
    b.close();
    await copy.send(1);
    expect(await a.recv()).to.equal(1);
    copy.close();
    await rejects(a.recv(), { code: 'ERR_MP_EOF' });
  });

  it('is refused when it is closed, when something is on its way, and when the number leads elsewhere', async () => {
    const [a, b] = pipe();
    const descriptor = describeObject(b) as { descriptor: { fd: number } };
    b.close();
    throws(() => describeObject(b), { code: 'ERR_MP_CLOSED' });
    throws(() => attach(descriptor as never), { code: 'EBADF' });
    // Another Connection has got the number meanwhile.
    const [c] = pipe();
    throws(() => attach({ ...descriptor, descriptor: { ...descriptor.descriptor, fd: c.fileno() } } as never), {
      code: 'EBADF',
    });
    const [d, e] = pipe();
    const sent = d.sendBytes(Buffer.alloc(8 * 1024 * 1024));
    throws(() => describeObject(d as Connection), { code: 'ERR_MP_BUSY' });
    await e.recvBytes();
    await sent;
    a.close();
  });

  it('is also for who has inherited it by other means: the descriptor is found by what it leads to', async () => {
    const [a, b] = pipe();
    const fd = copyFd(b);
    const descriptor = describeObject(b) as { descriptor: { pid: number } };
    b.close();
    // As in another process, which has another number for the same thing.
    const elsewhere = { ...descriptor, descriptor: { ...descriptor.descriptor, pid: 1 } };
    const found = track(attach(elsewhere as never) as unknown as AnyConnection);
    expect(found.fileno()).to.equal(forgetFd(fd));
    await a.send('found');
    expect(await found.recv()).to.equal('found');
  });

  it('and a lock: a worker holds it against the main thread', async () => {
    const lock = new Lock();
    const helper = new Helper();
    expect(await helper.ask({ what: 'acquire', descriptor: describeObject(lock) })).to.equal('acquired');
    expect(await lock.acquire({ block: false })).to.equal(false);
    expect(await helper.ask({ what: 'release', descriptor: null })).to.equal('released');
    expect(await lock.acquire()).to.equal(true);
    lock.release();
    lock.close();
    await helper.end();
  });
});
