// SPDX-License-Identifier: MIT
//
// A child that has reported no failure may still have failed: join() rejects for each child that did not get to its function.
// Regression: join() resolved to true for all of these.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { expect } from 'chai';
import { ChildProcessError, Process } from 'node-multiprocessing';

import { textsOf } from '../helpers/declarations.js';
import { foreignEnv, instance, newestPython, packageRoot, rejects, spawnPeer, type Program } from '../helpers/index.js';
import { modules, outcomeOf, processes, type Outcome } from './children/process-outcomes.js';

const module = new URL('./children/process-outcomes.js', import.meta.url);

/** The stage and the exit code of each process of process-outcomes.ts. */
const expected: Readonly<Record<string, readonly [stage: string, exitcode: number]>> = {
  'an option that Node does not have': ['attach', 9],
  'a preloaded module that throws': ['attach', 1],
  'a preloaded module that exits with 0': ['attach', 0],
  'a preloaded module that aborts': ['attach', -6],
  'an addon that must not be loaded': ['attach', 1],
  'a module that throws, whose error is caught': ['import', 0],
  'a module that waits for ever': ['import', 13],
  'a module that exits with 0': ['import', 0],
  'a module that is killed': ['import', -9],
  'a module that does not export the function': ['export', 1],
  'a function whose promise is never settled': ['run', 13],
  'a program that is not Python': ['attach', 0],
  'a Python module that exits with 0': ['import', 0],
  'a Python module that raises SystemExit': ['import', 0],
  'a Python module without the function': ['export', 1],
  'a Python function that raises': ['run', 1],
};

describe('A process that does not get to its function', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'process-not-reached-'));
    for (const [name, text] of Object.entries(modules)) writeFileSync(join(folder, name), text);
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('is expected here for each way, and each stage of both languages has one', () => {
    expect(Object.keys(expected)).to.deep.equal(Object.keys(processes));
    const stages = textsOf('index', 'ChildFailure', 'stage');
    for (const isPython of [false, true]) {
      const ways = Object.entries(expected).filter(([name]) => name.includes('Python') === isPython);
      expect(new Set(ways.map(([, [stage]]) => stage))).to.have.keys(stages);
    }
    // What a program of Python reports otherwise would count as no report at all.
    for (const program of ['spawn_child.py', 'pool_worker.py']) {
      const text = readFileSync(join(packageRoot, 'lib', 'python', program), 'utf8');
      const reported = [...text.matchAll(/(?:\bstage = |\bfailed\()'(\w+)'/g)].map(([, stage]) => stage);
      expect(reported).to.include('import');
      expect(stages).to.include.members(reported);
    }
  });

  for (const [name, [stage, exitcode]] of Object.entries(expected)) {
    it(`rejects join(), joinSync() and join() in a worker for ${name}`, async () => {
      const python = newestPython().path;
      const outcome: Outcome = { code: 'ERR_MP_CHILD_PROCESS', stage, exitcode };
      for (const how of ['join', 'joinSync'] as const) {
        expect(await outcomeOf(processes[name]!(folder, python), how), how).to.deep.equal(outcome);
      }
      const worker = new Worker(module, { workerData: { name, folder, python } });
      const found = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      expect(found, 'in a worker').to.deep.equal(outcome);
    });
  }

  it('has not failed if it is ended by its parent, and has if it is killed by another process', async () => {
    const start = (): Process => {
      const child = new Process({ module, target: 'nothing', args: [Buffer.alloc(8 * 1024 * 1024)] as never });
      child.start();
      return child;
    };
    for (const [method, signal] of [
      ['terminate', -15],
      ['kill', -9],
    ] as const) {
      const ended = start();
      ended[method]();
      expect([await ended.join(), ended.exitcode]).to.deep.equal([true, signal]);
    }
    const killed = start();
    process.kill(killed.pid!, 'SIGKILL');
    await rejects(killed.join(), { code: 'ERR_MP_CHILD_PROCESS', stage: 'attach' });
  });

  it('says in the error of join() that a process may be short of threads if Node aborts', async () => {
    const child = processes['a preloaded module that aborts']!(folder, '');
    child.start();
    const error = instance(await rejects(child.join(), { code: 'ERR_MP_CHILD_PROCESS' }), ChildProcessError);
    expect(error.message).to.include('SIGABRT').and.include('ulimit -u');
  });
});

describe('A process of a user with a limit on processes', () => {
  const asOther = ['--reuid', '4321', '--clear-groups'];
  const isPossible = (): boolean => {
    const readable = [process.execPath, '-e', `fs.readFileSync(${JSON.stringify(fileURLToPath(module))})`];
    return (
      process.geteuid?.() === 0 && spawnSync('setpriv', [...asOther, ...readable], { env: foreignEnv() }).status === 0
    );
  };

  // Regression: where the child could be started and its threads could not, the error named only a closed connection.
  for (const [more, code] of [
    [0, 'EAGAIN'],
    [1, 'ERR_MP_CHILD_PROCESS'],
  ] as const) {
    it(`is an error that says so: ${more} more than the parent has`, async function () {
      if (!isPossible()) {
        console.log('    skipped: this needs root, and another user that can read the package');
        return this.skip();
      }
      // A soft limit that the shell sets would count for the parent, too, whose threads it does not know.
      const program = `
        import { readdirSync } from 'node:fs';
        import { spawnSync } from 'node:child_process';
        import { Process } from 'node-multiprocessing';
        const limit = readdirSync('/proc/self/task').length + ${more};
        spawnSync('prlimit', ['--pid', String(process.pid), '--nproc=' + limit]);
        const child = new Process({ module: '${module.href}', target: 'none', stdio: 'ignore' });
        try {
          child.start();
          await child.join();
        } catch ({ code, message }) {
          console.log(JSON.stringify({ code, limit: message.includes('ulimit') }));
        }`;
      const args = [...asOther, process.execPath, '--input-type=module', '-e', program];
      const peer = spawnPeer({ language: 'node', label: 'node', command: 'setpriv', args }, { cwd: packageRoot });
      const found = JSON.parse(await peer.succeeded()) as unknown;
      expect(found).to.deep.equal({ code, limit: code !== 'EAGAIN' });
    });
  }
});

describe('A process that reaches its function', () => {
  const run = (target: string, ...args: unknown[]): Process =>
    new Process({ module, target, args: args as never, stdio: 'ignore' });

  it('has not failed, whatever it writes to its parent', async () => {
    for (const value of [null, 5, 'text', [], {}, { type: 'failed' }, { type: 'failed', stage: 'none', message: 1 }]) {
      expect(await outcomeOf(run('writeToParent', value), 'join')).to.deep.equal({ joined: true, exitcode: 0 });
    }
    expect(await outcomeOf(run('writeGarbage'), 'join')).to.deep.equal({ joined: true, exitcode: 0 });
  });

  it('has not failed if it exits while its promise is pending', async () => {
    expect(await outcomeOf(run('exitsWhileItWaits'), 'join')).to.deep.equal({ joined: true, exitcode: 0 });
  });

  it('cannot make join() throw anything but a ChildProcessError by a report of its own', async () => {
    const circle: { list: unknown[] } = { list: [] };
    circle.list.push(circle);
    for (const thrown of [null, 5, {}, { error: 5 }, { error: {} }, { list: 7 }, circle]) {
      const report = { type: 'failed', stage: 'run', message: 'made up', stack: 'no stack', thrown };
      const child = run('writeToParent', report);
      // The exit code of the child is 0, so that the report counts only if the function was not reached.
      expect(await outcomeOf(child, 'join')).to.deep.equal({ joined: true, exitcode: 0 });
      const failing = run('writeAndFail', report);
      const { code } = await outcomeOf(failing, 'join');
      expect(code).to.equal('ERR_MP_CHILD_PROCESS');
    }
  });
});

/** A program that forgets the guard. It would start a process in each of its processes. */
const UNGUARDED: Readonly<Record<string, string>> = {
  'an ES module': `
import * as mp from 'PACKAGE';
export function work() {}
START`,
  'an ES module, after an await': `
import * as mp from 'PACKAGE';
export function work() {}
await new Promise(setImmediate);
START`,
  'a module that the module imports': `
import './inner.mjs';
export function work() {}`,
  'a preloaded module': '',
  // Regression: what the import had begun, and did not wait for, was taken for the doing of the function.
  'a main function that is not awaited': `
import * as mp from 'PACKAGE';
export function work() {}
async function main() {
  await null;
  START
}
main();`,
  'a main function that is not awaited, and waits': `
import * as mp from 'PACKAGE';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
export async function work() {}
async function main() {
  await readFile(FILE);
  await setTimeout(1);
  START
}
main();`,
  'a callback of a timer': `
import * as mp from 'PACKAGE';
export async function work() {}
setTimeout(async () => {
  START
}, 1);`,
};

/** Where the first child fails, if that is not in the import. */
const STAGES: Readonly<Record<string, string>> = {
  'a preloaded module': 'attach undefined',
  'a main function that is not awaited, and waits': 'run ERR_MP_NOT_SUPPORTED',
  'a callback of a timer': 'run ERR_MP_NOT_SUPPORTED',
};

const START = `
const child = new mp.Process({ module: FILE, target: 'work', execArgv: process.execArgv });
console.log('starts a process');
child.start();
await child.join().then(() => console.log('joined'), (error) => console.log(error.code, error.stage, error.cause?.code));`;

describe('A program without the guard isMainProcess', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'process-unguarded-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  // Regression: each child started the next one, an endless chain that outlived the first process.
  for (const name of Object.keys(UNGUARDED)) {
    it(`fails in its first child: ${name}`, async () => {
      const file = join(folder, 'main.mjs');
      const inner = join(folder, 'inner.mjs');
      const complete = (text: string): string =>
        text
          .replace('START', START)
          .replaceAll('FILE', JSON.stringify(file))
          .replace('PACKAGE', import.meta.resolve('node-multiprocessing'));
      writeFileSync(inner, complete(`import * as mp from 'PACKAGE';\nSTART`));
      writeFileSync(file, complete(UNGUARDED[name]!) || 'export function work() {}');
      const args = name === 'a preloaded module' ? ['--import', inner, file] : [file];
      const command: Program = { language: 'node', label: 'node', command: process.execPath, args };
      const peer = spawnPeer(command);
      const output = await peer.succeeded();
      const [first, second, last, ...others] = output.trim().split('\n');
      expect([first, second, others]).to.deep.equal(['starts a process', 'starts a process', []]);
      expect(last).to.equal(`ERR_MP_CHILD_PROCESS ${STAGES[name] ?? 'import ERR_MP_NOT_SUPPORTED'}`);
      expect(peer.stderr).to.include('isMainProcess');
    });
  }
});
