// SPDX-License-Identifier: MIT
//
// Runs the command line program, as npx runs it.
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { packageRoot } from '../../helpers/index.js';

const { bin } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { bin: Record<string, string> };

/** The program. */
export const cliFile = join(packageRoot, bin['node-multiprocessing']!);

/** Runs a command. */
export function runCli(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [cliFile, ...args], { encoding: 'utf8', cwd: packageRoot });
}

/** Runs a command that must succeed, and returns its output. */
export function cliOutput(...args: string[]): string {
  const { status, stdout, stderr } = runCli(...args);
  expect([status, stderr]).to.deep.equal([0, '']);
  return stdout;
}
