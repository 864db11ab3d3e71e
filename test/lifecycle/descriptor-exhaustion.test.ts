// SPDX-License-Identifier: MIT
//
// A process without free descriptors: a child with a low limit.
import { constants } from 'node:os';

import { expect } from 'chai';

import { spawnPeer } from '../helpers/index.js';
import { child, limited, report, type Report } from './support/programs.js';

const LIMIT = 80;

async function run(name: string): Promise<Report> {
  const peer = spawnPeer(limited(child('exhausted'), LIMIT), { args: [name] });
  const result = await report(peer);
  expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
  return result;
}

function emfile(syscall: string): object {
  return { code: 'EMFILE', errno: -constants.errno.EMFILE, syscall };
}

describe('A process without a free descriptor', function () {
  it('gets EMFILE from Pipe(), without a leak', async function () {
    expect(await run('pipes')).to.deep.equal({
      errors: [emfile('socketpair'), emfile('pipe')],
      left: 0,
      after: 'works',
    });
  });

  it('keeps its only free descriptor when Pipe() fails', async function () {
    expect(await run('oneLeft')).to.deep.equal({ errors: 1, first: emfile('socketpair'), after: 'works' });
  });

  it('gets EMFILE from its first Pipe() at any step, and a later Pipe() works', async function () {
    const { results, after, again } = await run('first');
    expect(new Set(results)).to.deep.equal(new Set(['EMFILE']));
    expect([after, again]).to.deep.equal(['works', 'works']);
  });

  // Regression: recvHandle() was EBADMSG, as if the peer had sent something else.
  it('goes on with its open connections', async function () {
    expect(await run('others')).to.deep.equal({
      wait: 'EMFILE',
      sendHandle: 'EMFILE',
      recvHandle: ['EMFILE', 'EMFILE', 'EMFILE'],
      message: 'a message',
      dup: 'succeeded',
      after: 'works',
    });
  });

  it('uses the next I/O method instead of reopening the pipe', async function () {
    expect(await run('reopen')).to.deep.equal({ value: 'a message', after: 'works' });
  });

  // Regression: after a third of a second without descriptors the pool was closed for ever, and a process that had nothing
  // else of this package ended before its task.
  it('keeps the tasks of a pool until a worker can be started', async function () {
    expect(await run('pool')).to.deep.equal({ before: 3, after: 'works', value: 3 });
  });
});
