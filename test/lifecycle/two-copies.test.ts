// SPDX-License-Identifier: MIT
//
// The package more than once in one process.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { packageRoot, spawnPeer, within } from '../helpers/index.js';
import { child, report } from './support/programs.js';

describe('Two copies of the package in one process', function () {
  let folder: string;

  before(function () {
    folder = mkdtempSync(join(tmpdir(), 'mp-copy-'));
    cpSync(join(packageRoot, 'dist'), join(folder, 'dist'), { recursive: true });
    cpSync(join(packageRoot, 'dist'), join(folder, 'copy'), { recursive: true });
    cpSync(join(packageRoot, 'package.json'), join(folder, 'package.json'));
    symlinkSync(join(packageRoot, 'node_modules'), join(folder, 'node_modules'));
    const built = join(packageRoot, 'build', 'Release');
    const addon = readdirSync(built).find((file) => file.endsWith('.node'))!;
    mkdirSync(join(folder, 'build', 'Release'), { recursive: true });
    cpSync(join(built, addon), join(folder, 'build', 'Release', addon));
    cpSync(join(built, addon), join(folder, 'addon.node'));
  });

  after(function () {
    rmSync(folder, { recursive: true });
  });

  async function run(name: string): Promise<unknown> {
    const peer = spawnPeer(child('copies'), { args: [name, folder] });
    const result: unknown = await within(20_000, report(peer), 'both copies');
    expect(await peer.exit, peer.stderr).to.deep.equal({ code: 0, signal: null });
    return result;
  }

  it('are one copy when one is imported and the other required', async function () {
    expect(await run('require')).to.equal(true);
  });

  it('work beside each other when installed twice', async function () {
    expect(await run('installed')).to.deep.equal({ results: ['first', 'second'], refused: 'ERR_INVALID_ARG_TYPE' });
  });

  // Regression: the second copy took the poller of the environment over, and pending calls of the first copy hung.
  it('work beside each other when the modules are evaluated twice over one addon', async function () {
    expect(await run('reloaded')).to.deep.equal({ results: ['first', 'second'] });
  });
});
