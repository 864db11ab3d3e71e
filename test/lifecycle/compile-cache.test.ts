// SPDX-License-Identifier: MIT
//
// Node's cache of compiled code in a child. Node 20 has none: there a preloaded module stands for the function that newer
// releases have, so that the folder is seen with each release.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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
  const ask = async (env: NodeJS.ProcessEnv, execArgv: string[]): Promise<Answer> => {
    const [ours, theirs] = Pipe<never, Answer>();
    track(ours);
    const module = join(folder, 'target.cjs');
    const child = new Process({
      module,
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
    expect(readdirSync(folder)).to.include(`node-multiprocessing-${process.geteuid?.() ?? ''}`);
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
    else expect([used, readdirSync(folder)]).to.deep.equal([null, ['preloaded.cjs', 'target.cjs']]);
  });
});
