// SPDX-License-Identifier: MIT
//
// The files in dist/: how few of them a child loads, and that their source maps lead to lib/.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';
import { Pipe, Process } from 'node-multiprocessing';

import { packageRoot, track } from '../helpers/index.js';

const dist = join(packageRoot, 'dist');
const module = new URL('./support/loaded-files.js', import.meta.url).href;

/** The entries that are loaded when a process meets the first object of a kind, and the files that each loads beside child-base. */
const LOADED_LATER = {
  'synchronize/rebuild': ['shared/synchronize'],
  'queues/rebuild': ['shared/synchronize', 'synchronize/rebuild', 'shared/queues'],
  'shared-memory/rebuild': ['shared/synchronize', 'synchronize/rebuild', 'shared/shared-memory'],
  'serialization/pickle/coders': ['shared/pickle'],
  'python/pickling': ['shared/pickle', 'shared/listener', 'serialization/pickle/coders'],
  'python/texts': [],
  'pool/node/worker': ['shared/current-task'],
  'python/rebuild': [
    'shared/synchronize',
    'synchronize/rebuild',
    'shared/queues',
    'shared/shared-memory',
    'shared-memory/rebuild',
    'shared/pickle',
  ],
};

/** Those that have no code. */
const TEXTS = new Set(['python/texts']);

describe('npm', () => {
  it('packs the checkout with its script alone', () => {
    // Regression: npm runs "prepack" before the script "pack", and so refused that, too.
    for (const [args, said] of [
      [['pack', '--dry-run'], 'do not work here'],
      [['run', 'pack'], 'Name the folder'],
    ] as const) {
      const { status, stderr } = spawnSync('npm', args, { cwd: packageRoot, encoding: 'utf8' });
      expect(status).not.to.equal(0);
      expect(stderr).to.include(said);
    }
  });
});

describe('dist/', () => {
  it('has three files for a child to load at its start', async () => {
    const [ours, theirs] = Pipe<never, string[]>();
    track(ours);
    const child = new Process({ module, target: 'sendLoadedFiles', args: [theirs] });
    child.start();
    theirs.close();
    const files = (await ours.recv()).map((file) => relative(join(dist, 'cjs'), file));
    await child.join();
    expect(files).to.have.members(['child-main.js', 'child-program.js', 'shared/child-base.js']);
  });

  it('loads no module of Node for a child that the child can do without', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'child-'));
    const file = join(folder, 'target.cjs');
    writeFileSync(file, 'exports.send = async (connection) => { await connection.send(process.moduleLoadList); };');
    const load = async (target: string, program: string): Promise<string[]> => {
      const [ours, theirs] = Pipe<never, string[]>();
      track(ours);
      const child = new Process({ module: program, target, args: [theirs] });
      child.start();
      theirs.close();
      const list = await ours.recv();
      await child.join();
      return list.map((name) => name.replace('NativeModule ', ''));
    };
    try {
      for (const list of [await load('sendLoadedModules', module), await load('send', file)]) {
        for (const name of ['v8', 'timers/promises', 'crypto', 'child_process', 'net'])
          expect(list).not.to.include(name);
      }
      // For a CommonJS module the loader of ES modules is not needed. From version 24 on, Node loads it for every program.
      const loader = 'internal/modules/esm/translators';
      const bare = execFileSync(process.execPath, ['-p', 'process.moduleLoadList.join()'], { encoding: 'utf8' });
      if (!bare.includes(loader)) expect(await load('send', file)).not.to.include(loader);
      expect(await load('sendLoadedModules', module)).to.include(loader);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('loads neither what pickles nor what Python children need with the package, nor modules of Node that take long', () => {
    const program =
      "require('node-multiprocessing'); process.stdout.write(JSON.stringify([Object.keys(require.cache), process.moduleLoadList]));";
    const output = execFileSync(process.execPath, ['-e', program], { cwd: packageRoot, encoding: 'utf8' });
    const [files, modules] = JSON.parse(output) as [string[], string[]];
    const entries = files.map((file) => relative(join(dist, 'cjs'), file).replace(/\.js$/, ''));
    expect(entries).to.include('index');
    for (const entry of Object.keys(LOADED_LATER).filter((name) => name !== 'pool/node/worker'))
      expect(entries).not.to.include(entry);
    for (const name of ['v8', 'worker_threads', 'crypto', 'child_process'])
      expect(modules).not.to.include(`NativeModule ${name}`);
  });

  it('loads all at once for a runner of tests that may forget what it has loaded', () => {
    // Regression: after jest.resetModules() the first pickle and the first object from describe() met other classes.
    const program = join(packageRoot, 'test', 'package', 'foreign-loader.cjs');
    expect(execFileSync(process.execPath, [program], { encoding: 'utf8' })).to.equal('ok\n');
  });

  it('needs no file for the pickles of a Connection that was made while there were descriptors', () => {
    const program = `
      const mp = require('node-multiprocessing');
      const { openSync } = require('node:fs');
      const [reader, writer] = mp.Pipe(false, { serialization: 'pickle' });
      try { for (;;) openSync('/dev/null'); } catch {}
      writer.sendSync(['x']);
      process.stdout.write(reader.recvSync()[0]);`;
    const args = ['-c', 'ulimit -n 256 && exec "$0" -e "$1"', process.execPath, program];
    expect(execFileSync('sh', args, { cwd: packageRoot, encoding: 'utf8' })).to.equal('x');
  });

  it('has the same classes when it is needed after the cache of require() was emptied', () => {
    const program = `
      const mp = require('node-multiprocessing');
      const managers = require('node-multiprocessing/managers');
      for (const file of Object.keys(require.cache)) delete require.cache[file];
      const lock = new mp.Lock();
      const same = mp.attach(mp.describe(lock)) instanceof mp.Lock;
      const [one, two] = mp.pickle.loads(mp.pickle.dumps(mp.tuple(1, 2)));
      const left = Object.keys(require.cache).filter((file) => file.includes('child-base'));
      process.stdout.write(JSON.stringify([same, one, two, left, require('node-multiprocessing') === mp]));`;
    const output = execFileSync(process.execPath, ['-e', program], { cwd: packageRoot, encoding: 'utf8' });
    expect(JSON.parse(output)).to.deep.equal([true, 1, 2, [], false]);
  });

  for (const [entry, others] of Object.entries(LOADED_LATER)) {
    it(`loads nothing but what it needs with ${entry}, which is loaded in the middle of a call`, () => {
      const program = `require('./${entry}.js'); process.stdout.write(JSON.stringify(Object.keys(require.cache)));`;
      const folder = join(dist, 'cjs');
      const output = execFileSync(process.execPath, ['-e', program], { cwd: folder, encoding: 'utf8' });
      const files = (JSON.parse(output) as string[])
        .filter((file) => file.startsWith(folder))
        .map((file) => relative(folder, file).replace(/\.js$/, ''));
      expect(files).to.have.members([entry, ...(TEXTS.has(entry) ? [] : ['shared/child-base']), ...others]);
    });
  }

  it('keeps the names of functions and classes, which stacks and inspected objects show', () => {
    const functions = Object.entries(mp as Record<string, unknown>).filter(
      (entry): entry is [string, () => void] => typeof entry[1] === 'function' && entry[0] !== 'default',
    );
    expect(functions).to.not.have.lengthOf(0);
    for (const [name, value] of functions) expect(value.name).to.equal(name);
  });

  it('has a source map for each bundled file, with the texts of files in lib/', () => {
    const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
    const bundled = files.filter((file) => file.includes('/'));
    expect(bundled).to.not.have.lengthOf(0);
    for (const file of bundled) {
      const map = JSON.parse(readFileSync(join(dist, `${file}.map`), 'utf8')) as {
        sources: string[];
        sourcesContent: string[];
      };
      map.sources.forEach((source, i) => {
        const path = resolve(dist, dirname(file), source);
        expect(relative(packageRoot, path)).to.match(/^lib\/.*\.ts$/);
        expect(existsSync(path), path).to.equal(true);
        expect(map.sourcesContent[i]).to.equal(readFileSync(path, 'utf8'));
      });
    }
  });
});
