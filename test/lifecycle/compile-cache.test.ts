// SPDX-License-Identifier: MIT
//
// The caches of compiled code in a child: Node's own, and that of the file that every child loads. Node 20 has none of its own:
// there a preloaded module stands for the function that newer releases have, so that the folder is seen with each release.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { expect } from 'chai';
import { Pipe, Process } from 'node-multiprocessing';

import { track } from '../helpers/index.js';

const MODULE = `
const { getCompileCacheDir } = require('node:module');
exports.ask = (connection) => connection.send([exports.asked ?? null, getCompileCacheDir?.() ?? null]);
`;

/** What a child says: the folder that it has asked Node to use, and where Node keeps what it compiles. */
type Answer = [asked: string | null, folder: string | null];

describe('the cache of compiled code', () => {
  let folder: string;
  let own: string;
  /** The file of the cache for what every child loads. */
  const kept = (): string => {
    const [name = '', ...others] = readdirSync(own).filter((each) => each.startsWith(`child-${process.version}-`));
    expect(others).to.deep.equal([]);
    return join(own, name);
  };
  const ask = async (env: NodeJS.ProcessEnv, execArgv: string[], module = 'target.cjs'): Promise<Answer> => {
    const [ours, theirs] = Pipe<never, Answer>();
    track(ours);
    const child = new Process({
      module: join(folder, module),
      target: 'ask',
      args: [theirs],
      execArgv,
      env: { ...process.env, TMPDIR: folder, ...env },
    });
    child.start();
    theirs.close();
    const answer = await ours.recv();
    await child.join();
    return answer;
  };
  /** The folder that a child asks for. */
  const asked = async (env: NodeJS.ProcessEnv = {}): Promise<string | null> =>
    (await ask(env, ['--require', join(folder, 'preloaded.cjs')]))[0];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'compile-cache-'));
    own = join(folder, `node-multiprocessing-${process.geteuid?.() ?? ''}`);
    writeFileSync(join(folder, 'target.cjs'), MODULE);
    writeFileSync(
      join(folder, 'preloaded.cjs'),
      `const module_ = require('node:module');
       module_.getCompileCacheDir = () => process.env.NODE_COMPILE_CACHE;
       module_.enableCompileCache = (asked) => { require('./target.cjs').asked = asked; };`,
    );
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('is in a folder that no other user can write to', async () => {
    expect(await asked()).to.equal(own);
    expect(await asked()).to.equal(own);
    expect(readdirSync(folder)).to.include(basename(own));
  });

  it('is not in a folder that another user could have filled', async () => {
    mkdirSync(own);
    chmodSync(own, 0o777);
    expect(await asked()).to.equal(null);
    rmSync(own, { recursive: true });
    const elsewhere = mkdtempSync(join(folder, 'elsewhere-'));
    symlinkSync(elsewhere, own);
    expect(await asked()).to.equal(null);
    rmSync(own);
    writeFileSync(own, '');
    expect(await asked()).to.equal(null);
  });

  it('is left to the user that has one, or wants none, or has no folder for temporary files', async () => {
    expect(await asked({ NODE_COMPILE_CACHE: join(folder, 'theirs') })).to.equal(null);
    expect(await asked({ NODE_DISABLE_COMPILE_CACHE: '1' })).to.equal(null);
    expect(await asked({ TMPDIR: join(folder, 'missing') })).to.equal(null);
    expect([own, join(folder, 'missing')].filter((path) => existsSync(path))).to.deep.equal([]);
  });

  it('is used by Node releases that have one', async () => {
    const [, used] = await ask({}, []);
    if ('enableCompileCache' in (await import('node:module')))
      expect(used).to.satisfy((at: string) => at.startsWith(own));
    else expect([used, readdirSync(own)]).to.deep.equal([null, [basename(kept())]]);
  });

  describe('for the file that every child loads', () => {
    /** Whether a child has had data of the cache, and V8 has taken them. */
    const taken = async (env: NodeJS.ProcessEnv = {}, module = 'target.cjs'): Promise<string> => {
      const execArgv = ['--require', join(folder, 'compiled.cjs')];
      return (await ask({ ASKED: 'compiled', ...env }, execArgv, module))[0] ?? '';
    };

    beforeEach(() => {
      writeFileSync(
        join(folder, 'compiled.cjs'),
        `const vm = require('node:vm');
         vm.Script = class extends vm.Script {
           constructor(code, options) {
             super(code, options);
             const given = options.cachedData !== undefined;
             if (options.filename.endsWith('child-base.js'))
               require('./target.cjs').asked = given ? 'rejected: ' + this.cachedDataRejected : 'none';
           }
         };`,
      );
    });

    it('has what the first child has compiled for those that follow', async () => {
      expect(await taken()).to.equal('none');
      expect(await taken()).to.equal('rejected: false');
    });

    it('does not keep a function from importing modules', async () => {
      writeFileSync(join(folder, 'target.mjs'), `import { ask } from './target.cjs';\nexport { ask };`);
      expect(await taken({}, 'target.mjs')).to.equal('none');
      expect(await taken({}, 'target.mjs')).to.equal('rejected: false');
    });

    // V8 trusts its data: each of these ended the process, or ran what another release of this package has.
    it('is passed over and replaced if it is damaged, cut, empty, or that of another source', async () => {
      await taken();
      const intact = readFileSync(kept());
      const changed = (at: number): Buffer => {
        const damaged = Buffer.from(intact);
        damaged.fill(0, at, at + 4096);
        return damaged;
      };
      const ends = [intact.subarray(0, -1), intact.subarray(0, -2), Buffer.concat([intact, intact.subarray(-2)])];
      const places = [0, intact.length >> 1, intact.length - 4096].map(changed);
      for (const bytes of [...places, ...ends, Buffer.of()]) {
        writeFileSync(kept(), bytes);
        expect(await taken()).to.equal('none');
        expect(await taken()).to.equal('rejected: false');
      }
    });

    // Regression: the stacks of errors named the files of the copy that had been compiled first.
    it('is for one copy of the file', () => {
      const cache = new URL('../../lib/process/code-cache.js', import.meta.url).href;
      const stackIn = (name: string): string => {
        mkdirSync(join(folder, name), { recursive: true });
        const file = join(folder, name, 'file.cjs');
        writeFileSync(file, 'module.exports = () => new Error().stack;');
        const program = `import { createRequire } from 'node:module';
          const { requireFromCache } = await import('${cache}');
          requireFromCache('${file}', '${folder}')?.();
          console.log(createRequire('${file}')('${file}')());`;
        const args = ['--input-type=module', '-e', program];
        const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
        expect(status, stderr).to.equal(0);
        return stdout;
      };
      for (const name of ['one', 'two', 'one', 'two']) expect(stackIn(name)).to.include(join(folder, name, 'file.cjs'));
      expect(readdirSync(folder).filter((name) => name.startsWith('child-'))).to.have.length(2);
    });

    it('is not kept where nothing can be written, or the user wants none', async () => {
      mkdirSync(own, { mode: 0o700 });
      writeFileSync(
        join(folder, 'full.cjs'),
        `const fs = require('node:fs');
         fs.writeFileSync = fs.rmSync = () => { throw new Error('nothing may be written'); };`,
      );
      const execArgv = ['--require', join(folder, 'full.cjs')];
      await ask({}, execArgv);
      expect(readdirSync(own).filter((name) => name.startsWith('child-'))).to.deep.equal([]);
      expect(await taken({ NODE_DISABLE_COMPILE_CACHE: '1' })).to.equal('');
    });
  });
});
