// SPDX-License-Identifier: MIT
//
// What a Process hands to its child beside its arguments: options of Node, descriptors and streams.
import { fileURLToPath } from 'node:url';

import { expect } from 'chai';
import { Process } from 'node-multiprocessing';

import { throws, useUpTurn } from '../helpers/index.js';
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
