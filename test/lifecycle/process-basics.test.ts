// SPDX-License-Identifier: MIT
//
// A Process from its start to its end. Titles that begin with `test_` name CPython's own tests, from
// Lib/test/_test_multiprocessing.py.
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

import { expect } from 'chai';
import {
  activeChildren,
  BaseProcess,
  currentProcess,
  isMainProcess,
  parentProcess,
  Pipe,
  Process,
  wait,
  waitSync,
  type Connection,
} from 'node-multiprocessing';

import { rejects, throws, track, useUpTurn, type AnyConnection } from '../helpers/index.js';
import * as targets from './children/process-targets.js';
import type { Self } from './children/process-targets.js';
import { processOf, startWith, targetsUrl } from './support/processes.js';
import { stateOf } from './support/programs.js';

function nameless(): () => void {
  return () => undefined;
}

async function text(stream: AsyncIterable<Buffer> | null): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream!) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('_TestProcess', () => {
  it('test_current: the main process has its name, is no daemon and has no parent', () => {
    const current = currentProcess();
    expect([current.name, current.daemon, current.pid, isMainProcess]).to.deep.equal([
      'MainProcess',
      false,
      process.pid,
      true,
    ]);
    expect(current.authkey).to.have.length(32);
    expect(current.authkey.equals(currentProcess().authkey)).to.equal(true);
    expect(parentProcess()).to.equal(null);
  });

  it('test_process: gets its arguments, knows its name, and is alive from start() to its end', async () => {
    const { child, connection } = startWith(targets.sendAll, [1, 'two', { three: [3] }], {
      name: 'Worker',
      daemon: true,
    });
    expect(child).to.be.instanceOf(BaseProcess);
    expect([child.name, child.daemon, child.isAlive(), child.exitcode]).to.deep.equal(['Worker', true, true, null]);
    expect(child.pid).to.be.a('number');
    expect(activeChildren()).to.include(child);
    const received: unknown[] = [];
    for await (const value of connection) received.push(value);
    expect(received).to.deep.equal([1, 'two', { three: [3] }]);
    expect(await child.join()).to.equal(true);
    expect([child.exitcode, child.isAlive()]).to.deep.equal([0, false]);
    expect(activeChildren()).not.to.include(child);
    expect(await child.join(0)).to.equal(true);
    expect(child.joinSync()).to.equal(true);
  });

  it('test_process: has no pid and no exit code before start()', async () => {
    const child = processOf(targets.nothing, []);
    expect([child.pid, child.exitcode, child.isAlive(), child.stdout]).to.deep.equal([null, null, false, null]);
    expect(child.name).to.match(/^Process-\d+$/);
    for (const member of ['terminate', 'kill', 'joinSync'] as const) {
      throws(() => child[member](), { code: 'ERR_MP_NOT_SUPPORTED' });
    }
    throws(() => child.sentinel, { code: 'ERR_MP_NOT_SUPPORTED' });
    await rejects(child.join(), { code: 'ERR_MP_NOT_SUPPORTED' });
    await rejects(wait([child]), { code: 'ERR_MP_NOT_SUPPORTED' });
    child.close();
  });

  it('test_parent_process_attributes: knows its parent, its name and its options', async () => {
    const options = { name: 'Child', env: { ...process.env, PROCESS_TEST_MARK: 'here' }, cwd: '/' };
    const { child, connection } = startWith(targets.describeSelf, [], options);
    const self = (await connection.recv()) as Self;
    await child.join();
    expect(self).to.deep.include({
      pid: child.pid,
      ppid: process.pid,
      name: 'Child',
      daemon: false,
      main: false,
      parentPid: process.pid,
      parentName: 'MainProcess',
      cwd: '/',
      mark: 'here',
      authkey: currentProcess().authkey.toString('hex'),
    });
    expect(self.argv).to.deep.equal([fileURLToPath(targetsUrl)]);
  });

  it("test_parent_process: a grandchild has the child as its parent, and a name that contains the child's", async () => {
    const { child, connection } = startWith(targets.grandchild, []);
    const self = (await connection.recv()) as Self;
    await child.join();
    expect([self.parentPid, self.parentName]).to.deep.equal([child.pid, child.name]);
    expect(self.name).to.equal(`${child.name}:1`);
  });

  it('test_terminate and test_kill: the exit code is the negative number of the signal', async () => {
    for (const [member, code] of [
      ['terminate', -constants.signals.SIGTERM],
      ['kill', -constants.signals.SIGKILL],
    ] as const) {
      const { child, connection } = startWith(targets.forever, []);
      expect(await connection.recv()).to.equal('running');
      expect([await child.join(0), await child.join(-1), await child.join(1), child.joinSync(1)]).to.deep.equal([
        false,
        false,
        false,
        false,
      ]);
      child[member]();
      expect(await child.join()).to.equal(true);
      expect([child.exitcode, child.isAlive()]).to.deep.equal([code, false]);
      // These calls hit no process any more.
      child.terminate();
      child.kill();
    }
  });

  it('reports a signal that it sends itself, also one that cannot be caught', async () => {
    for (const signal of ['SIGINT', 'SIGUSR2', 'SIGKILL'] as const) {
      const child = processOf(targets.killSelf, [signal]);
      child.start();
      await child.join();
      expect(child.exitcode).to.equal(-constants.signals[signal]);
    }
  });

  it('test_active_children: lists the running children', async () => {
    const before = activeChildren();
    const { child, connection } = startWith(targets.untilTold, []);
    expect(activeChildren()).to.have.members([...before, child]);
    await connection.recv();
    await connection.send('end');
    await child.join();
    expect(activeChildren()).to.have.members(before);
  });

  it('test_sentinel: is a descriptor that is ready at the end, at whatever moment it is looked at', async () => {
    const { child, connection } = startWith(targets.untilTold, []);
    const { sentinel } = child;
    expect(child.sentinel).to.equal(sentinel);
    expect(await wait([sentinel, child], 0)).to.deep.equal([]);
    await connection.recv();
    await connection.send('end');
    expect(await wait([sentinel])).to.deep.equal([sentinel]);
    expect(await wait([child, connection])).to.deep.equal([child, connection]);
    expect(waitSync([sentinel, child], 0)).to.deep.equal([sentinel, child]);
    expect(child.joinSync()).to.equal(true);
    await child.join();
    expect(await wait([sentinel, child], 0)).to.deep.equal([sentinel, child]);
    child.close();
  });

  it('test_sentinel: exists also when it is first asked for after the end', async () => {
    const child = processOf(targets.nothing, []);
    child.start();
    await child.join();
    expect(waitSync([child.sentinel], 0)).to.have.length(1);
    child.close();
  });

  it('test_close: is refused while the process runs, and then final', async () => {
    const { child, connection } = startWith(targets.untilTold, []);
    throws(() => child.close(), { code: 'ERR_MP_BUSY' });
    await connection.recv();
    await connection.send('end');
    await child.join();
    child.close();
    child.close();
    for (const use of [
      () => child.isAlive(),
      () => child.pid,
      () => child.exitcode,
      () => child.sentinel,
      () => child.start(),
      () => child.terminate(),
      () => child.joinSync(),
    ]) {
      throws(use, { code: 'ERR_MP_CLOSED' });
    }
    await rejects(child.join(), { code: 'ERR_MP_CLOSED' });
    await rejects(wait([child]), { code: 'ERR_MP_CLOSED' });
  });

  it('test_daemon_argument: may be changed until the start; a daemon starts no children', async () => {
    const child = processOf(targets.nothing, []);
    expect(child.daemon).to.equal(false);
    child.daemon = true;
    child.name = 'Renamed';
    expect([child.daemon, child.name]).to.deep.equal([true, 'Renamed']);
    child.start();
    throws(() => child.start(), { code: 'ERR_MP_BUSY' });
    throws(() => (child.daemon = false), { code: 'ERR_MP_BUSY' });
    throws(() => (child.name = 'Too late'), { code: 'ERR_MP_BUSY' });
    await child.join();
    throws(() => child.start(), { code: 'ERR_MP_BUSY' });
    for (const [daemon, answer] of [
      [true, 'ERR_MP_NOT_SUPPORTED'],
      [false, 'nothing'],
    ] as const) {
      const { child: parent, connection } = startWith(targets.startFromHere, [], { daemon });
      expect(await connection.recv()).to.equal(answer);
      await parent.join();
    }
  });

  it('test_many_processes: several at once end one by one', async () => {
    const children = Array.from({ length: 10 }, () => startWith(targets.untilTold, []));
    for (const { connection } of children) expect(await connection.recv()).to.equal('running');
    for (const { child, connection } of children) {
      await connection.send('end');
      expect(await child.join()).to.equal(true);
      expect(child.exitcode).to.equal(0);
    }
  });

  it('has the right exit code between two turns of the event loop', async () => {
    const child = processOf(targets.exitWith, [3]);
    child.start();
    expect(waitSync([child])).to.deep.equal([child]);
    expect([child.isAlive(), child.exitcode]).to.deep.equal([false, 3]);
    expect(await child.join()).to.equal(true);
    child.close();
  });

  it('is joined by joinSync(), without a descriptor left', () => {
    const child = processOf(targets.exitWith, [4]);
    child.start();
    expect(child.joinSync()).to.equal(true);
    expect(child.exitcode).to.equal(4);
  });

  it('resolves several join() at once; an abort ends one of them', async () => {
    const { child, connection } = startWith(targets.untilTold, [], { daemon: true });
    await connection.recv();
    const controller = new AbortController();
    const aborted = child.join({ signal: controller.signal });
    const joins = [child.join(), child.join({ timeout: 60_000 }), child.join(null)];
    controller.abort();
    await rejects(aborted, { code: 'ABORT_ERR' });
    await connection.send('end');
    expect(await Promise.all(joins)).to.deep.equal([true, true, true]);
    await rejects(child.join({ timeout: NaN }), { code: 'ERR_OUT_OF_RANGE' });
    await rejects(child.join('1' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  });
});

describe('_TestSubclassingProcess', () => {
  it('test_sys_exit: the exit code is that of the program', async () => {
    for (const code of [0, 1, 8, 255]) {
      const child = processOf(targets.exitWith, [code]);
      child.start();
      expect(await child.join()).to.equal(true);
      expect(child.exitcode).to.equal(code);
    }
  });

  it('test_stderr_flush: all output arrives', async () => {
    const child = processOf(targets.print, ['out', 'error'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.start();
    expect(await Promise.all([text(child.stdout), text(child.stderr)])).to.deep.equal(['out', 'error']);
    await child.join();
  });
});

describe('joinSync() of a process with pipes', () => {
  // Regression: the child waited for room in the pipe, and the call for the end of the child.
  it('reads the output of the process, in order, for the streams of the parent', async () => {
    const lines = (prefix: string): string => Array.from({ length: 60_000 }, (_, i) => `${prefix}${i}\n`).join('');
    const args = [lines('out'), lines('error')] as const;
    const child = processOf(targets.print, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.start();
    const early = child.stdout!.read() as null;
    expect([early, child.joinSync(), child.exitcode]).to.deep.equal([null, true, 0]);
    expect(await Promise.all([text(child.stdout), text(child.stderr)])).to.deep.equal(args);
    // A stream that is not read, and one that flows.
    const unread = processOf(targets.print, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    unread.start();
    unread.stderr!.resume();
    expect(unread.joinSync()).to.equal(true);
  });
});

describe('TestFlags', () => {
  it('test_flags: options of Node are passed on, without the code that was given with them', async () => {
    const { child, connection } = startWith(targets.describeSelf, [], { execArgv: ['--no-deprecation'] });
    expect(((await connection.recv()) as Self).execArgv).to.deep.equal(['--no-deprecation']);
    await child.join();
    const before = process.execArgv;
    const given = [
      '--test',
      '--test-isolation=none',
      '--test-name-pattern',
      'x',
      '--watch',
      '--watch-path=.',
      '--no-warnings',
    ];
    given.push(
      '--inspect-brk=0',
      '--inspect-wait',
      '--experimental-test-coverage',
      '-e',
      'code',
      '--input-type',
      'module',
      '--input-type=module',
      '--eval=1',
      '-r',
    );
    const preloaded = fileURLToPath(import.meta.resolve('commander'));
    process.execArgv = [...given, preloaded, '-p'];
    try {
      const inheriting = startWith(targets.describeSelf, []);
      process.execArgv = before;
      expect(((await inheriting.connection.recv()) as Self).execArgv).to.deep.equal(['--no-warnings', '-r', preloaded]);
      await inheriting.child.join();
    } finally {
      process.execArgv = before;
    }
  });

  it('--inspect is passed on as child_process.fork does it, and a debugger finds the child', async () => {
    const before = process.execArgv;
    // Each process has a port of its own, and reports it on its stderr.
    process.execArgv = ['--inspect=127.0.0.1:0'];
    try {
      const { child, connection } = startWith(targets.tellInspector, [], { stdio: ['ignore', 'inherit', 'pipe'] });
      const said = text(child.stderr);
      expect(await connection.recv()).to.match(/^ws:\/\/127\.0\.0\.1:\d+\//);
      await child.join();
      expect(await said).to.include('Debugger listening on ws://127.0.0.1:');
    } finally {
      process.execArgv = before;
    }
  });
});

describe('TestWait', () => {
  it('test_wait_integer: Connections are mixed with processes and their sentinels', async () => {
    const [a, b] = Pipe() as unknown as [AnyConnection, Connection];
    track(a);
    track(b as AnyConnection);
    const { child, connection } = startWith(targets.untilTold, []);
    await connection.recv();
    const objects = [a, child.sentinel, child, b];
    expect(await wait(objects, 0)).to.deep.equal([]);
    await (b as AnyConnection).send(1);
    expect(await wait(objects)).to.deep.equal([a]);
    await connection.send('end');
    await child.join();
    expect(await wait(objects)).to.deep.equal([a, child.sentinel, child]);
    expect(await a.recv()).to.equal(1);
    expect(waitSync(objects, 0)).to.deep.equal([child.sentinel, child]);
    child.close();
  });
});

describe('A Process', () => {
  it('has the descriptors and streams of stdio at the given places', async () => {
    const stdio = ['pipe', 'inherit', 'inherit', 'pipe', 'ignore', 'pipe'] as const;
    const { child, connection } = startWith(targets.readInput, [], { stdio: [...stdio] });
    child.stdin!.end('typed');
    expect(await connection.recv()).to.equal('typed');
    await child.join();
  });

  it('shows its worker threads what its main thread sees', async () => {
    const { child, connection } = startWith(targets.inWorker, [], { name: 'With a worker' });
    expect(await connection.recv()).to.deep.equal([false, 'With a worker', process.pid]);
    await child.join();
  });

  it('runs although its parent does not return to its event loop any more', async () => {
    const child = processOf(targets.exitWith, [3]);
    await useUpTurn();
    child.start();
    const deadline = performance.now() + 50_000;
    // The child has ended, and the parent has not waited for it.
    while (stateOf(child.pid as number) !== 'Z') expect(performance.now()).to.be.below(deadline);
    await child.join();
    expect(child.exitcode).to.equal(3);
  });

  it('refuses invalid options by their names', () => {
    const module = targetsUrl;
    const target = 'nothing';
    const wrong: [Record<string, unknown>, string, string][] = [
      [{ target }, 'module', 'ERR_INVALID_ARG_TYPE'],
      [{ module: 5, target }, 'module', 'ERR_INVALID_ARG_TYPE'],
      [{ module: './relative.js', target }, 'module', 'ERR_OUT_OF_RANGE'],
      [{ module: 'data:text/javascript,0', target }, 'module', 'ERR_OUT_OF_RANGE'],
      [{ module: 'file:///tmp/[eval1]', target }, 'module', 'ERR_OUT_OF_RANGE'],
      [{ module: '[eval]', target }, 'module', 'ERR_OUT_OF_RANGE'],
      [{ module }, 'target', 'ERR_INVALID_ARG_TYPE'],
      [{ module, target: '' }, 'target', 'ERR_OUT_OF_RANGE'],
      [{ module, target: nameless() }, 'target', 'ERR_OUT_OF_RANGE'],
      [{ module, target: targets.nothing.bind(undefined) }, 'target', 'ERR_OUT_OF_RANGE'],
      [{ module, target, args: 'all' }, 'args', 'ERR_INVALID_ARG_TYPE'],
      [{ module, target, name: 5 }, 'name', 'ERR_INVALID_ARG_TYPE'],
      [{ module, target, daemon: 1 }, 'daemon', 'ERR_INVALID_ARG_TYPE'],
      [{ module, target, env: 5 }, 'env', 'ERR_INVALID_ARG_TYPE'],
      [{ module, target, cwd: 5 }, 'cwd', 'ERR_INVALID_ARG_TYPE'],
      [{ module, target, stdio: 5 }, 'stdio', 'ERR_INVALID_ARG_TYPE'],
      [{ module, target, execArgv: ['-a', 5] }, 'execArgv', 'ERR_INVALID_ARG_TYPE'],
    ];
    for (const [options, name, code] of wrong) {
      const error = throws(() => new Process(options as never), { code });
      expect(error.message, name).to.include(name);
    }
    throws(() => new Process(undefined as never), { code: 'ERR_INVALID_ARG_TYPE' });
  });
});
