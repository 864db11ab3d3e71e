// SPDX-License-Identifier: MIT
//
// What a PythonProcess passes to its function, how it ends, and what the parent learns of its end.
import { closeSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect } from 'chai';
import {
  ChildProcessError,
  currentProcess,
  Lock,
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
  instance,
  newestPython,
  packageRoot,
  pythons,
  refuses,
  rejects,
  throws,
  track,
} from '../helpers/index.js';

const peers = join(packageRoot, 'test', 'peers');
const python = newestPython().path;

function start(target: string, options: Partial<PythonProcessOptions> = {}): PythonProcess {
  const child = new PythonProcess({ target, python, pythonPath: peers, env: foreignEnv(), ...options });
  child.start();
  return child;
}

/** Makes a Pipe. Both ends are closed after the test. */
function pair(): [Connection, Connection] {
  const [ours, theirs] = Pipe();
  return [track(ours), track(theirs)];
}

/** Starts a function whose first argument is a Connection, and returns the other end. */
function startTalking(target: string, options: Partial<PythonProcessOptions> = {}): [PythonProcess, Connection] {
  const [ours, theirs] = pair();
  const child = start(target, { ...options, args: [theirs, ...(options.args ?? [])] });
  theirs.close();
  return [child, ours];
}

async function failureOf(child: PythonProcess): Promise<ChildProcessError> {
  return instance(await rejects(child.join(), { code: 'ERR_MP_CHILD_PROCESS' }), ChildProcessError);
}

describe('PythonProcess', function () {
  it('passes positional and keyword arguments', async () => {
    const [child, conn] = startTalking('children:arguments', {
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
    const child = start('children:nothing', { args: ['x'.repeat(5_000_000), Buffer.alloc(3_000_000)] });
    expect(child.joinSync()).to.equal(true);
    expect(child.exitcode).to.equal(0);
    child.close();
  });

  it('runs a function with a dotted name', async () => {
    const [child, conn] = startTalking('children:Group.method');
    expect(await conn.recv()).to.equal('called');
    await child.join();
  });

  for (const { version, path } of edgePythons()) {
    it(`behaves as any Process of multiprocessing (Python ${version})`, async () => {
      const cwd = realpathSync(mkdtempSync(join(tmpdir(), 'mp-python-')));
      const [child, conn] = startTalking('children:about', { python: path, cwd, name: 'worker one', daemon: true });
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
      const [child, conn] = startTalking(`${module}:tell`, { env, pythonPath: [pythonPath] });
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
      const [child, conn] = startTalking(`${module}:tell`, options);
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
      const [child, conn] = startTalking('children:about', { python: choice, env: { ...env, ...extra } });
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
      const piped = startTalking('children:read_input', { python: path, stdio: ['pipe', 1, 2] });
      piped[0].stdin?.end('from a pipe\n');
      const ofFile = startTalking('children:read_input', { python: path, stdio: [fd, 1, 2] });
      const ignored = startTalking('children:read_input', { python: path, stdio: ['ignore', 1, 2] });
      const unchosen = startTalking('children:read_input', { python: path });
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
    const [child, conn] = startTalking('children:arguments', { args: [tuple(1, 2)] });
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
    throws(() => start('children:until_closed', { args: [theirs] }), { code: 'ERR_MP_NOT_SUPPORTED' });
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

describe('The end of a PythonProcess', function () {
  for (const { version, path } of pythons()) {
    it(`puts the traceback into the error of join() and on standard error (Python ${version})`, async () => {
      const child = start('children:fail', { args: ['what went wrong: ü'], python: path, stdio: [0, 1, 'pipe'] });
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
        const child = start(target, { args, python: path, stdio: [0, 1, 'ignore'] });
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
    });
  }

  it('shows the effect of terminate() and kill() in the exit code', async () => {
    for (const [method, exitcode] of [
      ['terminate', -15],
      ['kill', -9],
    ] as const) {
      const [child, conn] = startTalking('children:busy');
      await conn.recv();
      child[method]();
      expect(await child.join()).to.equal(true);
      expect(child.exitcode).to.equal(exitcode);
    }
  });

  it('rejects join() with the name of a missing module', async () => {
    const error = await failureOf(start('no_such_module:function', { stdio: [0, 1, 'ignore'] }));
    expect(error.stage).to.equal('import');
    expect(error.message).to.contain("ModuleNotFoundError: No module named 'no_such_module'");
    // Where it was looked for, and what to write.
    expect(error.message).to.contain(peers).and.to.contain(process.cwd()).and.to.contain('pythonPath');
  });

  it('rejects join() with the stack of a module that fails', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mp-python-'));
    writeFileSync(join(folder, 'broken.py'), 'def helper():\n    1 / 0\n\nhelper()\n');
    const error = await failureOf(start('broken:function', { pythonPath: folder, stdio: [0, 1, 'ignore'] }));
    expect(error.stage).to.equal('import');
    expect(error.childStack).to.match(/broken\.py", line 2, in helper\n.*ZeroDivisionError: division by zero\n$/s);
    rmSync(folder, { recursive: true });
  });

  it('rejects join() with the names of the functions that exist', async () => {
    const error = await failureOf(start('children:no_such_function', { stdio: [0, 1, 'ignore'] }));
    expect(error.stage).to.equal('export');
    expect(error.message).to.match(/module 'children' has no function 'no_such_function'; it has: nothing, arguments/);
    const deeper = await failureOf(start('children:Group.other', { stdio: [0, 1, 'ignore'] }));
    expect(deeper.message).to.contain("has no function 'Group.other'; it has: method");
  });

  it('rejects join() if something of its arguments no longer exists', async () => {
    const lock = new Lock();
    const error = await failureOf(
      start('children:nothing', {
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
    const missing = throws(() => start('children:nothing', { python: '/no/such/python' }), { code: 'ENOENT' });
    expect(missing.message).to.contain('/no/such/python');
    expect(missing.message).to.contain('the option python');
    const folder = mkdtempSync(join(tmpdir(), 'mp-python-'));
    writeFileSync(join(folder, 'script'), '#!/no/such/interpreter\n', { mode: 0o755 });
    writeFileSync(join(folder, 'data'), '', { mode: 0o644 });
    const env = { ...foreignEnv(), PATH: folder };
    throws(() => start('children:nothing', { python: folder }), { code: 'EACCES' });
    throws(() => start('children:nothing', { python: join(folder, 'data') }), { code: 'EACCES' });
    throws(() => start('children:nothing', { python: 'data', env }), { code: 'EACCES' });
    throws(() => start('children:nothing', { python: join(folder, 'script') }), { code: 'ENOENT' });
    throws(() => start('children:nothing', { python: 'script', env }), { code: 'ENOENT' });
    throws(() => start('children:nothing', { python: './script' }), { code: 'ENOENT' });
    throws(() => start('children:nothing', { cwd: join(folder, 'data') }), { code: 'ENOTDIR' });
    rmSync(folder, { recursive: true });
    const other = await failureOf(start('children:nothing', { python: '/bin/false' }));
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
        const child = start(target, { pythonPath: folder, stdio: [0, 1, 'ignore'], ...options });
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
      const child = start('children:nothing');
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
      const error = await failureOf(start('hidden:function', { pythonPath, stdio: [0, 1, 'ignore'] }));
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
      const error = await failureOf(start('children:nothing', { pythonPath: folder, stdio: [0, 1, 'ignore'] }));
      expect(error.message).to.match(words);
      rmSync(folder, { recursive: true });
    }
  });
});

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
