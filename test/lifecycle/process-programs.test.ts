// SPDX-License-Identifier: MIT
//
// What a child is and how it loads its module, in programs of special kinds: several copies of the package, symbolic links,
// hooks of require(), applications that are no Node, the permission model.
import { cpSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import { Process } from 'node-multiprocessing';

import { packageRoot, spawnPeer, throws } from '../helpers/index.js';
import { COMMONJS_WORK, mainOf, ProgramFolder, WORK } from './support/program-folder.js';

/** Runs a program to its end. Returns what it has printed. */
function run(...args: readonly string[]): Promise<string> {
  return spawnPeer({ language: 'node', label: 'node', command: process.execPath, args }).succeeded();
}

describe('A Process of a program', () => {
  let programs: ProgramFolder;
  let folder: string;

  beforeEach(() => {
    programs = new ProgramFolder();
    folder = programs.path;
  });

  afterEach(() => {
    programs.remove();
  });

  const write = (path: string, text: string): string => programs.write(path, text);

  // Regression: a path was read as if it were a URL.
  it('runs a function of a CommonJS module from a path with letters that URLs escape', async () => {
    const file = write('a folder/100% %41 %zz #1?é.cjs', `${COMMONJS_WORK}\n${mainOf('__filename')}`);
    expect(await run(file)).to.equal('42\n0\n');
  });

  // Regression: import() passes these hooks over.
  it('runs a function of a module that hooks of require() compile', async () => {
    const register = write(
      'register.cjs',
      `const { readFileSync } = require('node:fs');
require.extensions['.ts'] = require.extensions['.js'] = (module, file) => {
  const text = readFileSync(file, 'utf8');
  if (file.includes('/work.')) module._compile(text.replace('@export', 'module.exports ='), file);
  else module._compile(text, file);
};`,
    );
    const text = `const mp = require('node-multiprocessing');
async function work(connection, { twice }) { await connection.send(2 * twice); }
@export { work };
${mainOf('__filename')}`;
    for (const name of ['work.ts', 'work.js']) {
      expect(await run('-r', register, write(name, text)), name).to.equal('42\n0\n');
    }
    // An ES module remains one, whether its name says so or its text.
    const esm = `${WORK}\n${mainOf('import.meta.url')}\nawait null;`;
    const nothing = write('nothing.cjs', '');
    for (const name of ['esm.mjs', 'esm.js']) {
      expect(await run('--no-warnings', '-r', nothing, write(name, esm)), name).to.equal('42\n0\n');
    }
  });

  // Regression: the child had two copies of all classes, and its argument was of none that its module knows.
  it('gets objects of the classes of its module if Node keeps symbolic links', async () => {
    const file = write(
      'work.mjs',
      `import * as mp from 'node-multiprocessing';
export async function work(connection) {
  await connection.send([connection instanceof mp.Connection, mp.isMainProcess, process.execArgv]);
}
${mainOf('import.meta.url')}`,
    );
    for (const option of ['--no-warnings', '--preserve-symlinks']) {
      expect(await run(option, file), option).to.equal(`[true,false,["${option}"]]\n0\n`);
    }
  });

  function copy(place: string): void {
    for (const part of ['dist', 'package.json', 'build/Release/multiprocessing.node']) {
      cpSync(join(packageRoot, part), join(folder, place, part), { recursive: true });
    }
  }

  // Regression: each child took itself for a main program and started the next one.
  it('is a child for each copy of the package, in each thread', async () => {
    copy('own');
    copy('other');
    const told = '[mp.isMainProcess, mp.currentProcess().name, mp.parentProcess()?.pid === process.ppid]';
    const program = `import(process.env.COPY).then((mp) => console.log(JSON.stringify(${told})))`;
    const file = write(
      'main.mjs',
      `import { Worker } from 'node:worker_threads';
import * as mp from './own/dist/index.js';
import * as other from './other/dist/index.js';
export async function work() {
  console.log(mp.Connection === other.Connection, JSON.stringify(${told}));
  process.env.COPY = import.meta.resolve('./own/dist/index.js');
  await new Promise((resolve) => new Worker(${JSON.stringify(program)}, { eval: true }).once('exit', resolve));
}
if (mp.isMainProcess) {
  console.log('main');
  const child = new other.Process({ module: import.meta.url, target: 'work', name: 'Child' });
  child.start();
  await child.join();
}`,
    );
    expect(await run(file)).to.equal('main\nfalse [false,"Child",true]\n[false,"Child",true]\n');
    const preloaded = write(
      'preloaded.mjs',
      "import { isMainProcess } from './own/dist/index.js'; console.log(isMainProcess);",
    );
    expect(await run('--import', preloaded, file)).to.match(/^true\nmain\nfalse\n/);
  });

  it('fails in the first child without the guard, whichever copy of the package starts it', async () => {
    copy('own');
    copy('other');
    const file = write(
      'unguarded.mjs',
      `import * as mp from './own/dist/index.js';
import * as other from './other/dist/index.js';
export function work() {}
console.log(mp.isMainProcess);
const { Process } = mp.isMainProcess ? other : mp;
const child = new Process({ module: import.meta.url, target: 'work' });
child.start();
await child.join().catch((error) => console.log(error.stage, error.cause.code));`,
    );
    expect(await run(file)).to.equal('true\nfalse\nimport ERR_MP_NOT_SUPPORTED\n');
  });

  // Regression: an application that was its own execPath started itself, without end.
  it('is refused in an application that is no Node, unless the option execPath names one', async () => {
    const single = "process.getBuiltinModule('node:sea').isSea = () => true;";
    const electron = "Object.defineProperty(process.versions, 'electron', { value: '40.0.0' });";
    for (const disguise of [single, electron]) {
      const file = write(
        'work.mjs',
        `import * as mp from 'node-multiprocessing';
export function work() {}
if (mp.isMainProcess) {
  ${disguise}
  try {
    new mp.Process({ module: import.meta.url, target: work }).start();
  } catch (error) {
    console.log(error.code, error.message.includes('execPath'));
  }
  const child = new mp.Process({ module: import.meta.url, target: work, execPath: process.execPath });
  child.start();
  console.log(await child.join());
  // Electron is a Node then, for itself and for its children.
  process.env.ELECTRON_RUN_AS_NODE = '1';
  try {
    const own = new mp.Process({ module: import.meta.url, target: work });
    own.start();
    console.log(await own.join());
  } catch (error) {
    console.log(error.code);
  }
}`,
      );
      const asNode = disguise === electron ? 'true' : 'ERR_MP_NOT_SUPPORTED';
      expect(await run(file), disguise).to.equal(`ERR_MP_NOT_SUPPORTED true\ntrue\n${asNode}\n`);
    }
  });

  it('is refused a module that is no file, and an execPath that is no program', () => {
    const target = 'work';
    for (const module of ['file://host/x.mjs', 'file:///a%2Fb.mjs', 'https://host/x.mjs', './x.mjs', 'file:///%zz']) {
      throws(() => new Process({ module, target }), { code: 'ERR_OUT_OF_RANGE' });
    }
    const module = '/x.mjs';
    throws(() => new Process({ module, target, execPath: '' }), { code: 'ERR_OUT_OF_RANGE' });
    throws(() => new Process({ module, target, execPath: 5 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
    const child = new Process({ module, target, execPath: '/no/such/node' });
    throws(() => child.start(), { code: 'ENOENT', syscall: 'spawn' });
  });

  // Regression: the count of free descriptors opened the root folder, and its refusal became an error "ENaN".
  it('is started with pipes under the permission model', async () => {
    const file = write('work.mjs', `${WORK}\n${mainOf('import.meta.url', "{ stdio: ['pipe', 'inherit', 'pipe'] }")}`);
    const [major = 0] = process.versions.node.split('.').map(Number);
    const permission = major < 24 ? '--experimental-permission' : '--permission';
    // Regression: the import looked for a file of Alpine Linux, and failed where /etc must not be read.
    const allowed = [folder, packageRoot].map((place) => `--allow-fs-read=${place}/*`);
    const options = [permission, ...allowed, '--allow-child-process', '--allow-addons', '--no-warnings'];
    expect(await run(...options, file)).to.equal('42\n0\n');
  });
});
