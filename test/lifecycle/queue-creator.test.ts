// SPDX-License-Identifier: MIT
//
// No member of a queue is a hub: the others go on when the process that has made it is stopped, killed, or does nothing
// with it.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { Pipe, type Connection } from 'node-multiprocessing';

import { spawnPeer, track, type Peer } from '../helpers/index.js';
import { child, report } from './support/programs.js';

interface Creator {
  readonly peer: Peer;
  readonly pid: number;
  /** The descriptor that the items come through. */
  readonly fd: number;
  /** Tells the producer to begin. Resolves to the number of items that the consumer has got. */
  exchange(): Promise<unknown>;
  end(): void;
}

async function startCreator(): Promise<Creator> {
  const [theirGate, gate] = Pipe(false);
  const [theirEnd, end] = Pipe(false);
  const [results, theirResults] = Pipe(false);
  for (const connection of [theirGate, gate, theirEnd, end, results, theirResults]) track(connection as Connection);
  const theirs = [theirGate, theirEnd, theirResults] as Connection[];
  const peer = spawnPeer(child('queue-creator'), { fds: theirs });
  for (const connection of theirs) connection.close();
  const { pid, pipe } = (await report(peer)) as { pid: number; pipe: number };
  return {
    peer,
    pid,
    fd: pipe,
    async exchange() {
      await gate.send('go');
      return await results.recv();
    },
    end() {
      end.close();
    },
  };
}

describe('The process that has made a queue', function () {
  it('may be stopped while its children exchange 10,000 items', async () => {
    const creator = await startCreator();
    process.kill(creator.pid, 'SIGSTOP');
    expect(await creator.exchange()).to.equal(10_000);
    process.kill(creator.pid, 'SIGCONT');
    creator.end();
    await creator.peer.succeeded();
  });

  it('may be killed before its children exchange 10,000 items', async () => {
    const creator = await startCreator();
    const gone = once(creator.peer.process, 'exit');
    creator.peer.kill('SIGKILL');
    await gone;
    expect(await creator.exchange()).to.equal(10_000);
    // The end of its output shows that its children have ended, too.
    await creator.peer.exit;
  });

  it('reads and writes nothing of the queue while its children exchange 10,000 items', async function () {
    if (spawnSync('strace', ['-V']).status !== 0) {
      console.log('        skipped: there is no strace');
      return this.skip();
    }
    const folder = mkdtempSync(join(tmpdir(), 'mp-strace-'));
    try {
      const creator = await startCreator();
      const pipe = readlinkSync(`/proc/${creator.pid}/fd/${creator.fd}`);
      const log = join(folder, 'calls');
      const calls = 'trace=read,readv,preadv2,write,writev,pwritev2';
      const tracer = spawn('strace', ['-f', '-y', '-e', calls, '-o', log, '-p', String(creator.pid)], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      // strace prints that it is attached.
      await once(tracer.stderr, 'data');
      expect(await creator.exchange()).to.equal(10_000);
      creator.end();
      await creator.peer.succeeded();
      await once(tracer, 'exit');
      const traced = readFileSync(log, 'utf8');
      // strace has seen the process to its end, so it was at work.
      expect(traced).to.match(/\+\+\+ exited with 0 \+\+\+/);
      expect(traced).not.to.include(`<${pipe}>`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
