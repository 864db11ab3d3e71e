// SPDX-License-Identifier: MIT
//
// The end of data between processes: the programs of the examples, and the effect of each close() in them. A process
// that leaves out one close() waits for an end of data until that copy of the sending end is closed after all.
import { join } from 'node:path';

import { expect } from 'chai';
import { Pipe, Process } from 'node-multiprocessing';

import { packageRoot, spawnPeer, track, turns, type AnyConnection, type Program } from '../helpers/index.js';
import * as targets from './children/process-eof.js';

const module = new URL('./children/process-eof.js', import.meta.url);

function example(file: string): Program {
  return { language: 'node', label: 'example', command: process.execPath, args: [join(packageRoot, 'examples', file)] };
}

function pipe(): [AnyConnection, AnyConnection] {
  const [a, b] = Pipe() as unknown as [AnyConnection, AnyConnection];
  return [track(a), track(b)];
}

describe('Examples of processes', () => {
  for (const file of ['pipe-eof/main.mjs', 'pipe-eof/for-await.mjs']) {
    it(`examples/${file}`, async () => {
      const peer = spawnPeer(example(file));
      expect((await peer.succeeded()).split('\n')).to.deep.equal(['1', '2', '3', '4', 'Consumer done', '']);
      expect(peer.stderr).to.equal('');
    });
  }

  it('examples/adder/main.mjs', async () => {
    const peer = spawnPeer(example('adder/main.mjs'));
    expect((await peer.succeeded()).split('\n')).to.deep.equal(['7', 'HelloWorld', 'Server done', '']);
    expect(peer.stderr).to.equal('');
  });

  // Regression: a daemon that outlived its parent by a moment left the names of the semaphores to the next sweep.
  for (const folder of ['joinable', 'joinable-many']) {
    it(`examples/${folder}/main.mjs`, async () => {
      const peer = spawnPeer(example(`${folder}/main.mjs`));
      expect((await peer.succeeded()).split('\n').sort()).to.deep.equal(['', '1', '2', '3', '4']);
      expect(peer.stderr).to.equal('');
    });
  }

  it('examples/sentinel/main.mjs', async () => {
    const peer = spawnPeer(example('sentinel/main.mjs'));
    expect((await peer.succeeded()).split('\n')).to.deep.equal(['1', '2', '3', '4', 'Consumer done', '']);
    expect(peer.stderr).to.equal('');
  });
});

/**
 * Starts a consumer that reports its progress on `answers`, and answers there whether the end of data is there when it
 * is asked.
 */
function consume(forgets: boolean): {
  child: Process;
  output: AnyConnection;
  input: AnyConnection;
  answers: AnyConnection;
} {
  const [output, input] = pipe();
  const [answers, theirs] = pipe();
  const child = new Process({ module, target: targets.consumer, args: [theirs, output, input, forgets] });
  child.start();
  theirs.close();
  return { child, output, input, answers };
}

async function ask(answers: AnyConnection, question: string): Promise<unknown> {
  await answers.send(question);
  return answers.recv();
}

describe('A consumer over a pipe (pipe-eof)', () => {
  it('ends when each process has closed the ends that it does not use', async () => {
    const { child, output, input, answers } = consume(false);
    output.close();
    for (const item of [1, 2, 3, 4]) void input.send(item);
    input.close();
    expect(await answers.recv()).to.deep.equal([1, 2, 3, 4]);
    expect(await answers.recv()).to.equal('done');
    expect(await child.join()).to.equal(true);
  });

  it('hangs if it has not closed its own copy of the sending end, and ends when it does', async () => {
    const { child, output, input, answers } = consume(true);
    output.close();
    for (const item of [1, 2, 3, 4]) void input.send(item);
    input.close();
    expect(await answers.recv()).to.deep.equal([1, 2, 3, 4]);
    expect(await ask(answers, 'ended?')).to.equal(false);
    expect(await child.join(0)).to.equal(false);
    expect(await ask(answers, 'close')).to.equal('closed');
    expect(await answers.recv()).to.equal('done');
    expect(await child.join()).to.equal(true);
  });

  it('hangs if the producer has not closed the sending end, and ends when it does', async () => {
    const { child, output, input, answers } = consume(false);
    output.close();
    for (const item of [1, 2, 3, 4]) await input.send(item);
    expect(await answers.recv()).to.deep.equal([1, 2, 3, 4]);
    expect(await ask(answers, 'ended?')).to.equal(false);
    input.close();
    expect(await answers.recv()).to.equal('done');
    expect(await child.join()).to.equal(true);
  });

  it('is not missed by a producer that has not closed the receiving end: no EPIPE until it does', async () => {
    const { child, output, input, answers } = consume(false);
    const held = output.dup();
    output.close();
    child.kill();
    await child.join();
    await input.send('never read');
    held.close();
    const code = await input.send('never read').catch((error: unknown) => (error as { code: string }).code);
    expect(code).to.equal('EPIPE');
    answers.close();
  });
});

describe('A server over a pipe (adder)', () => {
  function serve(forgets: boolean): {
    child: Process;
    server: AnyConnection;
    client: AnyConnection;
    answers: AnyConnection;
  } {
    const [server, client] = pipe();
    const [answers, theirs] = pipe();
    const child = new Process({ module, target: targets.server, args: [theirs, server, client, forgets] });
    child.start();
    theirs.close();
    return { child, server, client, answers };
  }

  it('hangs if it has not closed its own copy of the client end, and ends when it does', async () => {
    const { child, server, client, answers } = serve(true);
    server.close();
    await client.send([3, 4]);
    expect(await client.recv()).to.equal(7);
    client.close();
    expect(await ask(answers, 'ended?')).to.equal(false);
    expect(await child.join(0)).to.equal(false);
    expect(await ask(answers, 'close')).to.equal('closed');
    expect(await answers.recv()).to.equal('done');
    expect(await child.join()).to.equal(true);
  });

  it('hangs if the client has not closed its end, and ends when it does', async () => {
    const { child, server, client, answers } = serve(false);
    server.close();
    await client.send(['Hello', 'World']);
    expect(await client.recv()).to.equal('HelloWorld');
    expect(await ask(answers, 'ended?')).to.equal(false);
    client.close();
    expect(await answers.recv()).to.equal('done');
    expect(await child.join()).to.equal(true);
  });

  it('leaves a client hanging at its end if the client has not closed the server end, until it does', async () => {
    const { child, server, client } = serve(false);
    child.kill();
    await child.join();
    let ended = false;
    const received = client.recv().then(
      () => 'a value',
      (error: unknown) => {
        ended = true;
        return (error as { code: string }).code;
      },
    );
    await turns(10);
    expect([ended, await client.poll(0)]).to.deep.equal([false, false]);
    server.close();
    expect(await received).to.equal('ERR_MP_EOF');
  });
});
