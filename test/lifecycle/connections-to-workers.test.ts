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

/** A worker that attaches descriptors, runs tasks on them and posts the results. */
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

describe('A Connection that is described to a worker thread', () => {
  it('is the same stream there, in both directions, and its descriptor may pass through JSON', async () => {
    const [a, b] = pipe();
    const helper = new Helper();
    const descriptor = JSON.parse(JSON.stringify(describeObject(b))) as unknown;
    const answer = helper.ask({ what: 'echo', descriptor });
    await a.send({ some: 'value' });
    expect(await a.recv()).to.deep.equal({ some: 'value' });
    expect(await answer).to.equal('echoed');
    await helper.end();
  });

  it('carries along what was read ahead, in order', async () => {
    const [reader, writer] = pipe(false);
    for (const value of [1, 2, 3]) await writer.send(value);
    expect(await reader.recv()).to.equal(1);
    const helper = new Helper();
    // A worker opens descriptors when it starts, and could get the number of the descriptor that is closed below.
    await helper.ask({ what: 'nothing', descriptor: undefined });
    const descriptor = describeObject(reader);
    reader.close();
    // The worker has a copy of its own once it has attached. Until then the descriptor must stay open.
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

  it('is closed at the end of the worker, and the other copy goes on', async () => {
    const [a, b] = pipe();
    const helper = new Helper();
    expect(await helper.ask({ what: 'keep', descriptor: describeObject(b) })).to.equal('kept');
    await helper.terminate();
    await b.send('alive');
    expect(await a.recv()).to.equal('alive');
    b.close();
    await rejects(a.recv(), { code: 'ERR_MP_EOF' });
  });

  it('may be attached in the same thread: attach() makes one more Connection', async () => {
    const [a, b] = pipe();
    const copy = track(attach(describeObject(b) as never) as unknown as AnyConnection);
    b.close();
    await copy.send(1);
    expect(await a.recv()).to.equal(1);
    copy.close();
    await rejects(a.recv(), { code: 'ERR_MP_EOF' });
  });

  it('is refused if it is closed, has a message in progress, or if the number leads elsewhere', async () => {
    const [a, b] = pipe();
    const descriptor = describeObject(b) as { descriptor: { fd: number } };
    b.close();
    throws(() => describeObject(b), { code: 'ERR_MP_CLOSED' });
    throws(() => attach(descriptor as never), { code: 'EBADF' });
    // Another Connection has the number by now.
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

  it('is found by its identity in a process that inherited it by other means', async () => {
    const [a, b] = pipe();
    const fd = copyFd(b);
    const descriptor = describeObject(b) as { descriptor: { pid: number } };
    b.close();
    // As in another process, where the descriptor has another number.
    const elsewhere = { ...descriptor, descriptor: { ...descriptor.descriptor, pid: 1 } };
    const found = track(attach(elsewhere as never) as unknown as AnyConnection);
    expect(found.fileno()).to.equal(forgetFd(fd));
    await a.send('found');
    expect(await found.recv()).to.equal('found');
  });

  it('may be accompanied by a lock that the worker holds against the main thread', async () => {
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
