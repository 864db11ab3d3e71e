// SPDX-License-Identifier: MIT
//
// What a PythonProcess passes to its function, how it ends, and what the parent learns of its end.
import { closeSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect } from 'chai';
import {
  currentProcess,
  Pipe,
  PythonProcess,
  tuple,
  wait,
  type Connection,
  type PythonProcessOptions,
} from 'node-multiprocessing';

import {
  edgePythons,
  foreignEnv,
  newestPython,
  packageRoot,
  pythons,
  refuses,
  startPython,
  startTalkingPython,
  throws,
  track,
} from '../helpers/index.js';

const peers = join(packageRoot, 'test', 'peers');
const python = newestPython().path;

/** Makes a Pipe. Both ends are closed after the test. */
function pair(): [Connection, Connection] {
  const [ours, theirs] = Pipe();
  return [track(ours), track(theirs)];
}

describe('PythonProcess', function () {
  it('passes positional and keyword arguments', async () => {
    const [child, conn] = startTalkingPython('children:arguments', {
      args: [1, 'two', [3.5, null], tuple(true, Buffer.from('bytes'))],
      kwargs: { key: { nested: [1n] }, other: undefined },
    });
    expect(await conn.recv()).to.deep.equal([
      [1, 'two', [3.5, null], [true, Buffer.from('bytes')]],
      { key: { nested: [1] }, other: null },
    ]);
    await child.join();
    expect(child.exitcode).to.equal(0);
  });

  it("passes arguments that are larger than the system's buffers, also while the caller only blocks", () => {
    const child = startPython('children:nothing', { args: ['x'.repeat(5_000_000), Buffer.alloc(3_000_000)] });
    expect(child.joinSync()).to.equal(true);
    expect(child.exitcode).to.equal(0);
    child.close();
  });

  it('runs a function with a dotted name', async () => {
    const [child, conn] = startTalkingPython('children:Group.method');
    expect(await conn.recv()).to.equal('called');
    await child.join();
  });

  for (const { version, path } of edgePythons()) {
    it(`behaves as any Process of multiprocessing (Python ${version})`, async () => {
      const cwd = realpathSync(mkdtempSync(join(tmpdir(), 'mp-python-')));
      const [child, conn] = startTalkingPython('children:about', {
        python: path,
        cwd,
        name: 'worker one',
        daemon: true,
      });
      expect(await conn.recv()).to.deep.equal({
        class: 'SpawnProcess',
        name: 'worker one',
        daemon: true,
        argv: ['children'],
        authkey: currentProcess().authkey,
        parent: process.pid,
        parentName: 'MainProcess',
        parentAlive: true,
        cwd,
        method: 'spawn',
        executable: path,
      });
      await child.join();
      rmSync(cwd, { recursive: true });
    });
  }

  it('has the states and the sentinel of any Process', async () => {
    const [ours, theirs] = pair();
    const child = new PythonProcess({ target: 'children:until_closed', args: [theirs], python, pythonPath: peers });
    expect(child.pid).to.equal(null);
    expect(child.exitcode).to.equal(null);
    expect(child.isAlive()).to.equal(false);
    child.start();
    theirs.close();
    expect(child.isAlive()).to.equal(true);
    expect(await child.join(0)).to.equal(false);
    const { sentinel } = child;
    const ended = wait([sentinel]);
    ours.close();
    expect(await ended).to.deep.equal([sentinel]);
    expect(child.exitcode).to.equal(0);
    child.close();
  });

  it('searches for modules in pythonPath first, then in PYTHONPATH', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mp-python-'));
    for (const name of ['one', 'two']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'both.py'), `def tell(conn):\n    conn.send('${name}')\n`);
    }
    writeFileSync(join(folder, 'two', 'only.py'), "def tell(conn):\n    conn.send('only')\n");
    const env = { ...foreignEnv(), PYTHONPATH: join(folder, 'two') };
    const pythonPath = pathToFileURL(join(folder, 'one'));
    for (const [module, expected] of [
      ['both', 'one'],
      ['only', 'only'],
    ]) {
      const [child, conn] = startTalkingPython(`${module}:tell`, { env, pythonPath: [pythonPath] });
      expect(await conn.recv()).to.equal(expected);
      await child.join();
    }
    rmSync(folder, { recursive: true });
  });

  // Regression: PYTHONPATH, in which a colon separates the folders, was the only list.
  it('searches in folders whose names have a colon, in their order', async () => {
    const root = mkdtempSync(join(tmpdir(), 'mp-python-'));
    const folders = ['a:b', 'c', ':d', 'e'].map((name) => join(root, name));
    for (const [i, folder] of folders.entries()) {
      mkdirSync(folder);
      for (let module = i; module < folders.length + 1; module++) {
        writeFileSync(join(folder, `module${module}.py`), `def tell(conn):\n    conn.send(${i})\n`);
      }
    }
    writeFileSync(join(root, 'module4.py'), 'def tell(conn):\n    conn.send("cwd")\n');
    const told = async (module: string, options: Partial<PythonProcessOptions>): Promise<unknown> => {
      const [child, conn] = startTalkingPython(`${module}:tell`, options);
      const text = await conn.recv();
      await child.join();
      return text;
    };
    const env = { ...foreignEnv(), PYTHONPATH: folders[3] };
    const all = { pythonPath: folders.slice(0, 3), env };
    const found = ['module0', 'module1', 'module2', 'module3'].map((module) => told(module, all));
    expect(await Promise.all(found)).to.deep.equal([0, 0, 0, 0]);
    expect(await told('module2', { pythonPath: folders.slice(1, 3).reverse() })).to.equal(2);
    expect(await told('module3', { pythonPath: [], env })).to.equal(3);
    expect(await told('module4', { ...all, cwd: root })).to.equal('cwd');
    rmSync(root, { recursive: true });
  });

  it('finds the interpreter by option, PYTHON, VIRTUAL_ENV and PATH, in this order', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mp-python-'));
    const names = ['option', 'named', 'venv/bin', 'path'];
    for (const name of names) mkdirSync(join(folder, name), { recursive: true });
    const at = (name: string, program: string): string => {
      const path = join(folder, name, program);
      symlinkSync(python, path);
      return path;
    };
    const [option, named, virtual, onPath] = [
      at('option', 'python'),
      at('named', 'python'),
      at('venv/bin', 'python'),
      at('path', 'python3'),
    ];
    const env: NodeJS.ProcessEnv = {
      ...foreignEnv(),
      PATH: join(folder, 'path'),
      PYTHONHOME: join(python, '..', '..'),
    };
    const found = async (extra: NodeJS.ProcessEnv, choice?: string): Promise<unknown> => {
      const [child, conn] = startTalkingPython('children:about', { python: choice, env: { ...env, ...extra } });
      const { executable } = (await conn.recv()) as { executable: string };
      await child.join();
      return executable;
    };
    delete env['PYTHON'];
    delete env['VIRTUAL_ENV'];
    const venv = { VIRTUAL_ENV: join(folder, 'venv') };
    expect(await found({ ...venv, PYTHON: named }, option)).to.equal(option);
    expect(await found({ ...venv, PYTHON: named })).to.equal(named);
    expect(await found(venv)).to.equal(virtual);
    expect(await found({})).to.equal(onPath);
    rmSync(folder, { recursive: true });
  });

  // Regression: CPython's own replacement of sys.stdin made every chosen standard input empty.
  for (const { version, path } of pythons()) {
    it(`reads the standard input that stdio gives it, and no other (Python ${version})`, async () => {
      const file = join(mkdtempSync(join(tmpdir(), 'mp-python-')), 'input');
      writeFileSync(file, 'from a file\n');
      const fd = openSync(file, 'r');
      const piped = startTalkingPython('children:read_input', { python: path, stdio: ['pipe', 1, 2] });
      piped[0].stdin?.end('from a pipe\n');
      const ofFile = startTalkingPython('children:read_input', { python: path, stdio: [fd, 1, 2] });
      const ignored = startTalkingPython('children:read_input', { python: path, stdio: ['ignore', 1, 2] });
      const unchosen = startTalkingPython('children:read_input', { python: path });
      const input = async ([child, conn]: [PythonProcess, Connection]): Promise<unknown> => {
        const text = await conn.recv();
        await child.join();
        return text;
      };
      expect(await Promise.all([piped, ofFile, ignored, unchosen].map(input))).to.deep.equal([
        ['from a pipe\n', ''],
        ['from a file\n', ''],
        ['', ''],
        ['', ''],
      ]);
      closeSync(fd);
      rmSync(dirname(file), { recursive: true });
    });
  }

  it('makes an unused channel a channel of pickles, at both ends', async () => {
    const [child, conn] = startTalkingPython('children:arguments', { args: [tuple(1, 2)] });
    expect(await conn.recv()).to.deep.equal([[[1, 2]], {}]);
    await child.join();
  });

  it('refuses a channel that has carried structured clones, and names the option', async () => {
    const [ours, theirs] = pair();
    await ours.send('a structured clone');
    const child = new PythonProcess({ target: 'children:until_closed', args: [theirs], python });
    const error = throws(
      () => {
        child.start();
      },
      { code: 'ERR_MP_NOT_SUPPORTED' },
    );
    expect(error.message).to.contain("serialization: 'pickle'");
    expect(await theirs.recv()).to.equal('a structured clone');
  });

  it('refuses a Connection that holds bytes read ahead, and the bytes stay receivable', async () => {
    const [ours, theirs] = Pipe(true, { serialization: 'pickle' });
    track(ours);
    track(theirs);
    await ours.send('first');
    await ours.send('second');
    expect(await theirs.recv()).to.equal('first');
    throws(() => startPython('children:until_closed', { args: [theirs] }), { code: 'ERR_MP_NOT_SUPPORTED' });
    expect(await theirs.recv()).to.equal('second');
  });

  it('names the place of an argument that cannot be pickled, and starts no process', () => {
    const child = new PythonProcess({ target: 'children:nothing', args: [{ deep: [() => 1] }], python });
    const error = throws(
      () => {
        child.start();
      },
      { code: 'ERR_MP_PICKLING' },
    );
    expect(error.message).to.contain('args[0].deep[0]');
    expect(child.pid).to.equal(null);
  });
});

describe('Options of a PythonProcess', function () {
  const refused: [string, unknown, string][] = [
    ['target', 5, 'ERR_INVALID_ARG_TYPE'],
    ['target', 'worker', 'ERR_OUT_OF_RANGE'],
    ['target', ':function', 'ERR_OUT_OF_RANGE'],
    ['target', 'worker:', 'ERR_OUT_OF_RANGE'],
    ['target', './worker.py:function', 'ERR_OUT_OF_RANGE'],
    ['args', 'text', 'ERR_INVALID_ARG_TYPE'],
    ['kwargs', ['list'], 'ERR_INVALID_ARG_TYPE'],
    ['kwargs', null, 'ERR_INVALID_ARG_TYPE'],
    ['python', 3, 'ERR_INVALID_ARG_TYPE'],
    ['python', '', 'ERR_OUT_OF_RANGE'],
    ['pythonPath', 3, 'ERR_INVALID_ARG_TYPE'],
    ['pythonPath', [new URL('http://example.org/')], 'ERR_INVALID_ARG_TYPE'],
    ['cwd', 3, 'ERR_INVALID_ARG_TYPE'],
    ['env', 'text', 'ERR_INVALID_ARG_TYPE'],
    ['stdio', 3, 'ERR_INVALID_ARG_TYPE'],
    ['name', 3, 'ERR_INVALID_ARG_TYPE'],
    ['daemon', 'yes', 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [option, value, code] of refused) {
    it(`refuse ${option}: ${JSON.stringify(value)}`, async () => {
      const options = { target: 'worker:function', [option]: value } as unknown as PythonProcessOptions;
      await refuses(() => new PythonProcess(options), option, code);
    });
  }
});
