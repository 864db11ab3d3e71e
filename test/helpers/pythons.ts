// SPDX-License-Identifier: MIT
//
// Finds the CPython versions to test against. A name on PATH proves nothing, since pyenv's shims exist for versions
// that are not selected, so each candidate is run.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { foreignEnv } from './environment.js';

export interface Python {
  /** Major and minor version, such as `3.11`. */
  readonly version: string;
  /** The interpreter's own path. No shim stands between a test and its child. */
  readonly path: string;
}

const MINORS = [8, 9, 10, 11, 12, 13];
const PROBE = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.executable)";

function probe(command: string, version: string): Python | undefined {
  const { status, stdout } = spawnSync(command, ['-c', PROBE], { encoding: 'utf8', env: foreignEnv() });
  if (status !== 0) return undefined;
  const [, name, found, path] = /^(\S+) (\S+) (.+)\n$/.exec(stdout) ?? [];
  if (name !== 'cpython' || found !== version || path === undefined) return undefined;
  return { version, path };
}

function pyenvCandidates(minor: number): string[] {
  const { status, stdout } = spawnSync('pyenv', ['root'], { encoding: 'utf8' });
  if (status !== 0) return [];
  const versions = join(stdout.trim(), 'versions');
  try {
    return readdirSync(versions)
      .filter((name) => name.startsWith(`3.${minor}.`))
      .map((name) => join(versions, name, 'bin', 'python3'));
  } catch {
    return [];
  }
}

function find(minor: number): Python | undefined {
  const version = `3.${minor}`;
  for (const command of [`python${version}`, ...pyenvCandidates(minor), 'python3']) {
    const python = probe(command, version);
    if (python !== undefined) return python;
  }
  return undefined;
}

let found: readonly Python[] | undefined;

/** Every CPython from 3.8 to 3.13 that runs here, oldest first. Throws if there is none. */
export function pythons(): readonly Python[] {
  found ??= MINORS.map(find).filter((python) => python !== undefined);
  if (found.length === 0) throw new Error('The tests need at least one CPython from 3.8 to 3.13');
  return found;
}

/** The oldest and the newest Python, for tests that need not run with all. */
export function edgePythons(): readonly Python[] {
  const all = pythons();
  return all.length < 2 ? all : [all[0] as Python, all[all.length - 1] as Python];
}

/** The newest Python. */
export function newestPython(): Python {
  const all = pythons();
  return all[all.length - 1] as Python;
}

/** The versions that were looked for and not found. */
export function missingPythons(): readonly string[] {
  return MINORS.map((minor) => `3.${minor}`).filter(
    (version) => !pythons().some((python) => python.version === version),
  );
}
