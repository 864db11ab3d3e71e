// SPDX-License-Identifier: MIT
//
// The programs and modules that a Process can be started from.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect } from 'chai';

import { packageRoot, spawnPeer, type Peer, type Program } from '../helpers/index.js';
import { child as program, report } from './support/programs.js';
import { COMMONJS_WORK, mainOf, ProgramFolder, WORK } from './support/program-folder.js';

/** Makes a program of several files, which may import the package. */
function node(args: readonly string[], options: { cwd?: string } = {}): Peer {
  const command: Program = { language: 'node', label: 'node', command: process.execPath, args };
  return spawnPeer(command, options);
}

describe('A Process', () => {
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

  const esm = `${WORK}\n${mainOf('import.meta.url')}`;

  it('runs a function of an ES module, from a path with spaces and letters of every kind', async () => {
    const file = write("a folder/wörk #1 100% 'é' 工作 ?.mjs", esm);
    expect(await node([file]).succeeded()).to.equal('42\n0\n');
  });

  it('runs a function of a CommonJS module', async () => {
    const file = write('work.cjs', `${COMMONJS_WORK}\n${mainOf('__filename')}`);
    expect(await node([file]).succeeded()).to.equal('42\n0\n');
  });

  /** Files that may be CommonJS modules by their names, and what is in the package.json beside each. */
  const kinds: Record<string, [file: string, settings: object, text: string]> = {
    'of a package without a type': ['work.js', {}, 'exports.work = WORK;'],
    'of a package of CommonJS modules': ['work.js', { type: 'commonjs' }, 'exports.work = WORK;'],
    'with the word import in a comment': ['work.js', {}, '// No import() here.\nexports.work = WORK;'],
    'that is an ES module by its package': ['work.js', { type: 'module' }, 'export const work = WORK;'],
    'that is an ES module by its text': ['work.js', {}, 'var a = 1; export { work }; const work = WORK;'],
    'that is an ES module by an await': ['work.mjs', {}, 'await 1; export const work = WORK;'],
    'that throws nothing': ['work.cjs', {}, 'throw undefined;'],
  };
  for (const [kind, [name, settings, text]] of Object.entries(kinds)) {
    it(`runs a function of a file ${kind}`, async () => {
      write('package.json', JSON.stringify(settings));
      const work = 'async (connection, { twice }) => { await connection.send(2 * twice); }';
      const file = write(name, text.replace('WORK', work));
      const main = write(
        'main.mjs',
        `import * as mp from 'node-multiprocessing';
const [ours, theirs] = mp.Pipe();
const child = new mp.Process({ module: ${JSON.stringify(file)}, target: 'work', args: [theirs, { twice: 21 }] });
child.start();
theirs.close();
console.log(await ours.recv().catch(({ code }) => code));
await child.join().catch(({ code, stage }) => console.log(code, stage));
console.log(child.exitcode);`,
      );
      const expected = text.includes('throw') ? 'ERR_MP_EOF\nERR_MP_CHILD_PROCESS import\n1\n' : '42\n0\n';
      expect(await node([main]).succeeded()).to.equal(expected);
    });
  }

  it('finds hooks of import() although its module is CommonJS', async () => {
    write(
      'hooks.mjs',
      `export async function load(url, context, next) {
  const loaded = await next(url, context);
  if (!url.endsWith('/work.cjs')) return loaded;
  return { format: 'module', source: 'export async function work(c) { await c.send("hooked"); }', shortCircuit: true };
}`,
    );
    const preload = write(
      'preload.mjs',
      `import { register } from 'node:module'; register('./hooks.mjs', import.meta.url);`,
    );
    const file = write('work.cjs', 'exports.work = async (c) => { await c.send("plain"); };');
    const main = write(
      'main.mjs',
      `import * as mp from 'node-multiprocessing';
const [ours, theirs] = mp.Pipe();
const child = new mp.Process({ module: ${JSON.stringify(file)}, target: 'work', args: [theirs] });
child.start();
theirs.close();
console.log(await ours.recv());
await child.join();`,
    );
    expect(await node(['--import', pathToFileURL(preload).href, main]).succeeded()).to.equal('hooked\n');
  });

  it('runs a function of a TypeScript module with the loader of the parent', async () => {
    const typescript = pathToFileURL(join(packageRoot, 'node_modules/typescript/lib/typescript.js')).href;
    const hooks = write(
      'hooks.mjs',
      `import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from ${JSON.stringify(typescript)};
export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const source = readFileSync(fileURLToPath(url), 'utf8');
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: 99, target: 99 } });
  return { format: 'module', source: outputText, shortCircuit: true };
}`,
    );
    const register = write(
      'register.mjs',
      `import { register } from 'node:module';
register(${JSON.stringify(pathToFileURL(hooks).href)});`,
    );
    const file = write(
      'work.ts',
      esm.replace(
        '(connection, { twice })',
        '(connection: mp.Connection, { twice }: { twice: number }): Promise<void>',
      ),
    );
    expect(await node(['--import', register, file]).succeeded()).to.equal('42\n0\n');
  });

  it('is no main process, also in a module that is preloaded', async () => {
    const preload = write('preload.mjs', "import * as mp from 'node-multiprocessing'; console.log(mp.isMainProcess);");
    const file = write('work.mjs', esm);
    expect(await node(['--import', preload, file]).succeeded()).to.equal('true\nfalse\n42\n0\n');
  });

  it('is refused if its code is in no file: node -e, standard input', async () => {
    for (const args of [['--input-type=module', '-e', esm], ['--input-type=module']]) {
      const peer = node(args, { cwd: folder });
      if (args.length === 1) peer.process.stdin!.end(esm);
      expect((await peer.exit).code).to.equal(1);
      expect(peer.stderr).to.include('ERR_OUT_OF_RANGE').and.include('node -e').and.include('module');
    }
    // Code in a file can be started from any program.
    const file = write('work.mjs', esm);
    const elsewhere = esm.replace('import.meta.url', JSON.stringify(file)).replace('target: work', "target: 'work'");
    const peer = node(['--input-type=module', '-e', elsewhere], { cwd: folder });
    expect(await peer.succeeded(), peer.stderr).to.equal('42\n0\n');
  });

  it('is started from a worker thread as from the main thread', async () => {
    const peer = spawnPeer(program('process-in-worker'));
    const { parent, worker, inWorker, names, exitcodes } = await report(peer);
    expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
    expect([inWorker.parentPid, inWorker.ppid]).to.deep.equal([peer.pid, peer.pid]);
    // All threads have one secret, and so do all processes that they start.
    expect([worker, inWorker.authkey]).to.deep.equal([parent, parent]);
    expect(names).to.deep.equal(['Process-1', 'Process-1']);
    expect(exitcodes).to.deep.equal([0, 0, -9]);
  });

  if (process.getuid?.() === 0) {
    it('of another user is refused the named objects of the first user, with the reason', async function () {
      // No runtime is preloaded into a process whose effective user is not its real user.
      if (process.env['NODE_MULTIPROCESSING_SANITIZER'] !== undefined) return this.skip();
      const peer = spawnPeer(program('process-as-another-user'));
      const { stage, message, connection } = await report(peer);
      expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
      expect(stage).to.equal('attach');
      expect(message).to.include('EACCES').and.include('belong to user 0').and.include('runs as user 65534');
      // Connections have no names.
      expect(connection).to.equal('hello');
    });
  }
});
