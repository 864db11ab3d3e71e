// SPDX-License-Identifier: MIT
//
// What the command line program tells of locks, queues, processes and pools, on those of living processes.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';
import type { Comparison } from '#lib/cli/bench.js';
import type { FamilyListing, Listing } from '#lib/cli/families.js';
import type { QueueLine, Sample } from '#lib/cli/top.js';

import { within } from '../helpers/index.js';
import { cliFile, cliOutput, runCli } from './support/cli.js';

type Shared = Parameters<typeof mp.describe>[0] & { close(): void };

/** The names of the semaphores of an object. */
function namesOf(object: Shared): string[] {
  return JSON.stringify(mp.describe(object)).match(/\/mp-\w+-\w+/g) ?? [];
}

/** What the list says about the objects that this test has made, by class. */
function objects(named: readonly string[]): FamilyListing['objects'] {
  const { families } = JSON.parse(cliOutput('list', '--json')) as Listing;
  return families
    .flatMap(({ objects: all }) => all)
    .filter(({ parts }) => parts.some(({ name }) => named.includes(name)));
}

function sample(): Sample {
  return JSON.parse(cliOutput('top', '--once', '--json', '--interval', '50')) as Sample;
}

/** Sleeps until it gets something on the connection. */
const SLEEPER = 'connection.send("ready"); connection.recv()';

describe('The command line program, of objects', () => {
  before(function () {
    if (process.platform !== 'linux') this.skip();
  });

  it('tells the parts of each class, in the order in which they were made', () => {
    const condition = ['lock', 'sleeping', 'woken', 'waiting'];
    const queue = ['reader lock', 'writer lock', 'free slots'];
    const lock = new mp.Lock();
    const made: [object: Shared, parts: string[]][] = [
      [lock, ['lock']],
      [new mp.RLock(), ['lock']],
      [new mp.Semaphore(3), ['value']],
      [new mp.BoundedSemaphore(4), ['value']],
      [new mp.Condition(), condition],
      [new mp.Condition(lock), condition.slice(1)],
      [new mp.Event(), [...condition, 'flag']],
      [new mp.Barrier(2), condition],
      [new mp.Queue(3), queue],
      [new mp.JoinableQueue(3), [...queue, ...condition, 'unfinished']],
      [new mp.SimpleQueue(), queue.slice(0, 2)],
    ];
    for (const [object, parts] of made) {
      const type = object.constructor.name;
      const found = objects(namesOf(object)).find((one) => one.type === type);
      expect(
        found?.parts.map(({ part }) => part),
        type,
      ).to.deep.equal(parts);
    }
    for (const [object] of made.reverse()) object.close();
  });

  it('tells the values, the holder and the program of each member', async () => {
    const lock = new mp.Lock();
    const [mine, theirs] = mp.Pipe(true, { serialization: 'pickle' });
    const code = `lock.acquire(); ${SLEEPER}; lock.release()`;
    const child = new mp.PythonProcess({
      target: 'builtins:exec',
      args: [code, { lock, connection: theirs }],
      name: 'holder of the lock',
    });
    child.start();
    theirs.close();
    await within(20_000, mine.recv(), 'the child');
    const [{ parts }] = objects([lock.name]) as [FamilyListing['objects'][number]];
    expect(parts.map(({ value, holders }) => [value, holders])).to.deep.equal([[0, [child.pid]]]);
    const { families } = JSON.parse(cliOutput('list', '--json')) as Listing;
    const member = families.flatMap(({ members }) => members ?? []).find(({ pid }) => pid === child.pid)!;
    expect(member.name).to.equal('holder of the lock');
    expect(member.program).to.match(/^python/);
    expect(cliOutput('list')).to.match(new RegExp(`${lock.name} +exists +Lock, held by ${child.pid}\n`));
    const held = sample().locks.find(({ id }) => id === lock.name)!;
    expect(held).to.deep.equal({ id: lock.name, type: 'Lock', value: 0, holders: [child.pid], waiters: 0 });
    await mine.send('go');
    await child.join();
    mine.close();
    lock.close();
  });

  it('names the process that waits for itself, by the number of its parent', async () => {
    // Regression: holders showed neither the pipes of children nor the other ends of sockets.
    const [mine, theirs] = mp.Pipe(true, { serialization: 'pickle' });
    const pair = mp.Pipe();
    const [reader, writer] = mp.Pipe(false);
    const ends = { connection: theirs, a: pair[0], b: pair[1], reader, writer };
    const child = new mp.PythonProcess({ target: 'builtins:exec', args: [SLEEPER, ends], name: 'waiting' });
    child.start();
    for (const end of Object.values(ends)) end.close();
    await within(20_000, mine.recv(), 'the child');
    const text = cliOutput('holders', String(process.pid));
    expect(text).to.match(/\nsocket:\[\d+\] to socket:\[\d+\] +\d+ +\d+ +read and write +waiting \(/);
    const alone = new RegExp(`^${child.pid} waiting \\(.*\\) alone holds all ends of (.*): no end of data`, 'm').exec(
      text,
    );
    expect(alone?.[1]?.replaceAll(/\d+/g, '').split(', ').sort()).to.deep.equal(['pipe:[]', 'socket:[]', 'socket:[]']);
    await mine.send('go');
    await child.join();
    mine.close();
  });

  it('shows the depth, the rates and what was lost of a queue, in top', async () => {
    const queue = new mp.Queue<number>();
    for (const item of [1, 2, 3]) await queue.put(item);
    await queue.get();
    const { families } = JSON.parse(cliOutput('list', '--json')) as Listing;
    const own = families.find(({ members }) => members!.some(({ pid }) => pid === process.pid))!;
    const { id } = own.objects.find(({ type }) => type === 'Queue')!;
    const line = (): QueueLine | undefined => sample().queues.find((one) => one.id === id);
    expect(line()).to.include({ type: 'Queue', depth: 2, putRate: 0, gotRate: 0, lost: 0, readers: 0, writers: 0 });

    const top = spawn(process.execPath, [cliFile, 'top', '--json', '--interval', '20']);
    let puts = 0;
    const timer = setInterval(() => void queue.put(puts++), 1);
    let text = '';
    await within(
      20_000,
      new Promise<void>((resolve) => {
        top.stdout.on('data', (bytes: Buffer) => {
          text += String(bytes);
          const lines = text.split('\n').slice(0, -1);
          const seen = lines.flatMap((line) => (JSON.parse(line) as Sample).queues).filter((one) => one.id === id);
          if (seen.some(({ putRate, gotRate }) => putRate! > 0 && gotRate === 0)) resolve();
        });
      }),
      'a sample in which items are put',
    );
    clearInterval(timer);
    const ended = once(top, 'exit');
    top.kill();
    await ended;
    // From now on there may be members that do not count.
    mp.describe(queue);
    while (!queue.empty()) await queue.get();
    await queue.put(1);
    expect(line()).to.include({ depth: 1, putRate: null, gotRate: null });
    queue.close();
  });

  it('shows the workers of a pool, their names and its processes, in top', async () => {
    const pool = new mp.PythonPool({ target: 'math:sqrt', processes: 2, name: 'roots' });
    await pool.ready();
    const { pools, processes } = sample();
    const found = pools.find(({ name, parent }) => name === 'roots' && parent === process.pid)!;
    expect(found.workers).to.equal(2);
    expect(found.memory).to.be.above(1e6);
    const names = processes.filter(({ parent }) => parent === process.pid).map(({ name }) => name);
    expect(names).to.include.members(['roots-1', 'roots-2']);
    expect(processes.map(({ pid }) => pid)).to.include(process.pid);
    await pool.terminate();
  });

  it('prints tables without control characters where there is no terminal', () => {
    const lock = new mp.Lock();
    const text = cliOutput('top', '--once', '--interval', '10');
    expect(text).to.match(/^\d+ famil(y|ies), /);
    expect(text).to.match(/\nLOCK +CLASS +VALUE +HELD BY +WAITERS\n/);
    // eslint-disable-next-line no-control-regex -- These are what it is about.
    expect(text).not.to.match(/[\x00-\x09\x0b-\x1f]/);
    lock.close();
  });

  it('ends when the reader of its output has ended', () => {
    const command = `"${process.execPath}" "${cliFile}" top --json --interval 10 | head -n 1`;
    const { status, stdout } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
    expect(status).to.equal(0);
    expect(Object.keys(JSON.parse(stdout) as Sample)).to.deep.equal([
      ...['families', 'processes', 'pools', 'queues', 'locks'],
    ]);
  });

  it('refuses an interval that is none', () => {
    for (const interval of ['0', '-1', 'x', '']) {
      const { status, stderr } = runCli('top', '--interval', interval);
      expect([status, /--interval/.test(stderr)]).to.deep.equal([2, true]);
    }
  });

  it('measures each way in bench --quick, and says why one is not there', () => {
    const { bytes, measurements } = JSON.parse(cliOutput('bench', '--quick', '--json')) as Comparison;
    expect(bytes).to.equal(64);
    expect(measurements.map(({ microseconds, problem }) => [microseconds! > 0, problem])).to.deep.equal(
      Array.from({ length: 4 }, () => [true, null]),
    );
    const without = { ...process.env, PYTHON: '/no/python' };
    const { status, stdout } = spawnSync(process.execPath, [cliFile, 'bench', '--quick'], {
      encoding: 'utf8',
      env: without,
    });
    expect(status).to.equal(0);
    expect(stdout).to.match(/\nWAY +MICROSECONDS +PER SECOND\n/);
    expect(stdout).to.match(/\nConnection, Node and Python: .*\/no\/python/);
  });
});
