// SPDX-License-Identifier: MIT
//
// How a PythonProcess ends: exit codes, tracebacks, and functions that are not reached.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { expect } from 'chai';
import type { PythonProcess } from 'node-multiprocessing';
import { ChildProcessError, Lock, type PythonProcessOptions } from 'node-multiprocessing';

import {
  edgePythons,
  foreignEnv,
  instance,
  packageRoot,
  pythons,
  rejects,
  startPython,
  startTalkingPython,
  throws,
  turns,
} from '../helpers/index.js';

const peers = join(packageRoot, 'test', 'peers');

async function failureOf(child: PythonProcess): Promise<ChildProcessError> {
  return instance(await rejects(child.join(), { code: 'ERR_MP_CHILD_PROCESS' }), ChildProcessError);
}

const folders: string[] = [];

/** Makes a folder whose sitecustomize module removes a semaphore's name when Python starts. */
function unlinking(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'mp-python-'));
  folders.push(folder);
  writeFileSync(join(folder, 'sitecustomize.py'), `import _multiprocessing\n_multiprocessing.sem_unlink('${name}')\n`);
  return folder;
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

describe('The end of a PythonProcess', function () {
  for (const { version, path } of pythons()) {
    it(`puts the traceback into the error of join() and on standard error (Python ${version})`, async () => {
      const child = startPython('children:fail', { args: ['what went wrong: ü'], python: path, stdio: [0, 1, 'pipe'] });
      let printed = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (printed += text));
      const closed = new Promise((resolve) => child.stderr?.once('close', resolve));
      const error = await failureOf(child);
      await closed;
      expect(error.stage).to.equal('run');
      expect(error.message).to.contain('ValueError: what went wrong: ü');
      expect(error.childStack).to.match(
        /^Traceback .*children\.py", line \d+, in fail\n.*ValueError: what went wrong: ü\n$/s,
      );
      expect(printed).to.match(/^Process Process-\d+:\nTraceback .*children\.py", line \d+, in fail\n/s);
      expect(child.exitcode).to.equal(1);
    });
  }

  for (const { version, path } of edgePythons()) {
    it(`has the exit code that Python would have (Python ${version})`, async () => {
      const run = async (target: string, ...args: unknown[]): Promise<number | null> => {
        const child = startPython(target, { args, python: path, stdio: [0, 1, 'ignore'] });
        await child.join();
        return child.exitcode;
      };
      const codes = [
        run('children:leave', 7),
        run('children:leave', 'words'),
        run('children:leave', 0),
        run('children:nothing'),
        run('children:die'),
      ];
      expect(await Promise.all(codes)).to.deep.equal([7, 1, 0, 0, -9]);
      // Node knows no names of real-time signals, and reports exit code 0.
      const signals = [31, 34, 35, 64];
      expect(await Promise.all(signals.map((number) => run('children:die', number)))).to.deep.equal([
        -31, -34, -35, -64,
      ]);
      const blocking = startPython('children:die', { args: [50], python: path });
      const unjoined = startPython('children:die', { args: [50], python: path });
      expect([blocking.joinSync(), blocking.exitcode]).to.deep.equal([true, -50]);
      while (unjoined.isAlive()) await turns();
      expect(unjoined.exitcode).to.equal(-50);
    });

    // Regression: the child waited for room in the pipe, and the call for the end of the child.
    it(`joinSync() reads its output, in order, for the streams of the parent (Python ${version})`, async () => {
      const args = ['out', 'error'].map((name) => Array.from({ length: 60_000 }, (_, i) => `${name}${i}\n`).join(''));
      const child = startPython('children:write', { args, python: path, stdio: ['ignore', 'pipe', 'pipe'] });
      expect([child.joinSync(), child.exitcode]).to.deep.equal([true, 0]);
      expect(await Promise.all([text(child.stdout!), text(child.stderr!)])).to.deep.equal(args);
    });
  }

  it('shows the effect of terminate() and kill() in the exit code', async () => {
    for (const [method, exitcode] of [
      ['terminate', -15],
      ['kill', -9],
    ] as const) {
      const [child, conn] = startTalkingPython('children:busy');
      await conn.recv();
      child[method]();
      expect(await child.join()).to.equal(true);
      expect(child.exitcode).to.equal(exitcode);
    }
  });

  it('rejects join() with the name of a missing module', async () => {
    const error = await failureOf(startPython('no_such_module:function', { stdio: [0, 1, 'ignore'] }));
    expect(error.stage).to.equal('import');
    expect(error.message).to.contain("ModuleNotFoundError: No module named 'no_such_module'");
    // Where it was looked for, and what to write.
    expect(error.message).to.contain(peers).and.to.contain(process.cwd()).and.to.contain('pythonPath');
  });

  it('rejects join() with the stack of a module that fails', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mp-python-'));
    writeFileSync(join(folder, 'broken.py'), 'def helper():\n    1 / 0\n\nhelper()\n');
    const error = await failureOf(startPython('broken:function', { pythonPath: folder, stdio: [0, 1, 'ignore'] }));
    expect(error.stage).to.equal('import');
    expect(error.childStack).to.match(/broken\.py", line 2, in helper\n.*ZeroDivisionError: division by zero\n$/s);
    rmSync(folder, { recursive: true });
  });

  it('rejects join() with the names of the functions that exist', async () => {
    const error = await failureOf(startPython('children:no_such_function', { stdio: [0, 1, 'ignore'] }));
    expect(error.stage).to.equal('export');
    expect(error.message).to.match(/module 'children' has no function 'no_such_function'; it has: nothing, arguments/);
    const deeper = await failureOf(startPython('children:Group.other', { stdio: [0, 1, 'ignore'] }));
    expect(deeper.message).to.contain("has no function 'Group.other'; it has: method");
  });

  it('rejects join() if something of its arguments no longer exists', async () => {
    const lock = new Lock();
    const error = await failureOf(
      startPython('children:nothing', {
        args: [lock],
        stdio: [0, 1, 'ignore'],
        // The name is removed while the interpreter starts.
        pythonPath: [unlinking(lock.name), peers],
      }),
    );
    expect(error.stage).to.equal('attach');
    expect(error.message).to.contain('FileNotFoundError');
    lock.close();
  });

  it('is a clear error if the interpreter does not exist or does not fit', async () => {
    const missing = throws(() => startPython('children:nothing', { python: '/no/such/python' }), { code: 'ENOENT' });
    expect(missing.message).to.contain('/no/such/python');
    expect(missing.message).to.contain('the option python');
    const folder = mkdtempSync(join(tmpdir(), 'mp-python-'));
    writeFileSync(join(folder, 'script'), '#!/no/such/interpreter\n', { mode: 0o755 });
    writeFileSync(join(folder, 'data'), '', { mode: 0o644 });
    const env = { ...foreignEnv(), PATH: folder };
    throws(() => startPython('children:nothing', { python: folder }), { code: 'EACCES' });
    throws(() => startPython('children:nothing', { python: join(folder, 'data') }), { code: 'EACCES' });
    throws(() => startPython('children:nothing', { python: 'data', env }), { code: 'EACCES' });
    throws(() => startPython('children:nothing', { python: join(folder, 'script') }), { code: 'ENOENT' });
    throws(() => startPython('children:nothing', { python: 'script', env }), { code: 'ENOENT' });
    throws(() => startPython('children:nothing', { python: './script' }), { code: 'ENOENT' });
    throws(() => startPython('children:nothing', { cwd: join(folder, 'data') }), { code: 'ENOTDIR' });
    rmSync(folder, { recursive: true });
    const other = await failureOf(startPython('children:nothing', { python: '/bin/false' }));
    expect(other.stage).to.equal('attach');
    expect(other.message).to.contain('CPython 3.8 or later is needed');
  });

  // Regression: these were taken for a success.
  for (const form of ['async', 'sync'] as const) {
    it(`rejects join() if the function was not reached, whatever the exit code (${form})`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'mp-python-'));
      const modules = {
        leaves: 'import sys\nsys.exit(0)\n',
        ends: 'import os\nos._exit(0)\n',
        killed: 'import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n',
        asynchronous: 'async def function():\n    pass\n',
        generator: 'def function():\n    yield\n',
      };
      for (const [name, text] of Object.entries(modules)) writeFileSync(join(folder, `${name}.py`), text);
      const early = join(folder, 'early');
      mkdirSync(early);
      writeFileSync(join(early, 'sitecustomize.py'), 'import os\nos._exit(0)\n');
      const stageOf = async (target: string, options: Partial<PythonProcessOptions> = {}): Promise<string> => {
        const child = startPython(target, { pythonPath: folder, stdio: [0, 1, 'ignore'], ...options });
        if (form === 'async') return (await failureOf(child)).stage;
        return instance(
          throws(() => child.joinSync(), { code: 'ERR_MP_CHILD_PROCESS' }),
          ChildProcessError,
        ).stage;
      };
      expect(await stageOf('math:sqrt', { python: '/bin/true' })).to.equal('attach');
      expect(await stageOf('math:sqrt', { pythonPath: early })).to.equal('attach');
      expect(await stageOf('leaves:function')).to.equal('import');
      expect(await stageOf('ends:function')).to.equal('import');
      expect(await stageOf('killed:function')).to.equal('import');
      expect(await stageOf('asynchronous:function')).to.equal('export');
      expect(await stageOf('generator:function')).to.equal('export');
      rmSync(folder, { recursive: true });
    });
  }

  it('is no failure if the parent ends it before it has reached its function', async () => {
    for (const method of ['terminate', 'kill'] as const) {
      const child = startPython('children:nothing');
      child[method]();
      expect(await child.join()).to.equal(true);
    }
  });

  it('reports an error that cannot be shown', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mp-python-'));
    writeFileSync(
      join(folder, 'hidden.py'),
      'class Hidden(Exception):\n    def __str__(self):\n        raise self\n\ndef function():\n    raise Hidden()\n',
    );
    mkdirSync(join(folder, 'shadow'));
    writeFileSync(join(folder, 'shadow', 'traceback.py'), '');
    for (const pythonPath of [[folder], [join(folder, 'shadow'), folder]]) {
      const error = await failureOf(startPython('hidden:function', { pythonPath, stdio: [0, 1, 'ignore'] }));
      expect(error.stage).to.equal('run');
      expect(error.message).to.contain('Hidden');
    }
    rmSync(folder, { recursive: true });
  });

  it('is a clear error if Python is too old or not CPython', async () => {
    for (const [assignment, words] of [
      ['sys.version_info = (3, 7, 9)', /is Python 3\.7; 3\.8 or later is needed/],
      ["sys.implementation.name = 'pypy'", /is pypy, not CPython/],
    ] as const) {
      const folder = mkdtempSync(join(tmpdir(), 'mp-python-'));
      writeFileSync(join(folder, 'sitecustomize.py'), `import sys\n${assignment}\n`);
      const error = await failureOf(startPython('children:nothing', { pythonPath: folder, stdio: [0, 1, 'ignore'] }));
      expect(error.message).to.match(words);
      rmSync(folder, { recursive: true });
    }
  });
});
