// SPDX-License-Identifier: MIT
//
// The programs and modules that a Process can be started from.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect } from 'chai';

import { packageRoot, spawnPeer, type Peer, type Program } from '../helpers/index.js';
import { child as program, report } from './support/programs.js';
import { ProgramFolder } from './support/program-folder.js';

/** Makes a program of several files, which may import the package. */
function node(args: readonly string[], options: { cwd?: string } = {}): Peer {
  const command: Program = { language: 'node', label: 'node', command: process.execPath, args };
  return spawnPeer(command, options);
}

const MAIN = `
if (mp.isMainProcess) {
  const [ours, theirs] = mp.Pipe();
  const child = new mp.Process({ module: MODULE, target: work, args: [theirs, { twice: 21 }] });
  child.start();
  theirs.close();
  ours.recv().then(async (value) => {
    console.log(value);
    await child.join();
    console.log(child.exitcode);
  });
}`;

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

  const esm = `import * as mp from 'node-multiprocessing';
export async function work(connection, { twice }) { await connection.send(2 * twice); }
${MAIN.replace('MODULE', 'import.meta.url')}`;

  it('runs a function of an ES module, from a path with spaces and letters of every kind', async () => {
    const file = write("a folder/wörk #1 100% 'é' 工作 ?.mjs", esm);
    expect(await node([file]).succeeded()).to.equal('42\n0\n');
  });

  it('runs a function of a CommonJS module', async () => {
    const file = write(
      'work.cjs',
      `const mp = require('node-multiprocessing');
async function work(connection, { twice }) { await connection.send(2 * twice); }
module.exports = { work };
${MAIN.replace('MODULE', '__filename')}`,
    );
    expect(await node([file]).succeeded()).to.equal('42\n0\n');
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
