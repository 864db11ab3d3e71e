// SPDX-License-Identifier: MIT
import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { runsChildProgram } from './child-program.js';

const require = createRequire(import.meta.url);

/** Whether a folder is that of a package, and not one in it whose package.json only tells what its modules are. */
function holdsPackage(folder: string): boolean {
  const file = join(folder, 'package.json');
  return existsSync(file) && 'name' in (JSON.parse(readFileSync(file, 'utf8')) as object);
}

/** The folder of this package, whichever folder below it this code was compiled to. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!holdsPackage(folder) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** The file that was loaded. */
let loaded = '';

/** @internal Where the addon of this process is, for its children, which need not look for it again. */
export function addonFile(): string {
  return loaded;
}

/** What a child of ours was told by its parent; see child-main.ts. */
function toldByParent(): string | undefined {
  const told = runsChildProgram ? process.argv[3] : undefined;
  return told === '' ? undefined : told;
}

function unsupported(what: string): Error {
  return Object.assign(new Error(what), { code: 'ERR_MP_NOT_SUPPORTED' });
}

/**
 * node-gyp-build knows musl only by a file of Alpine's. What the runtime itself reports holds on every distribution: its
 * report names the glibc version exactly when there is one.
 */
function stateLibc(): void {
  if (process.platform !== 'linux' || process.env['LIBC'] !== undefined) return;
  const { report } = process as { report?: { excludeNetwork?: boolean; getReport(): object } };
  if (report === undefined) return;
  const before = report.excludeNetwork;
  // Without this the report looks up the names of all open sockets, which can take seconds.
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  if (before !== undefined) report.excludeNetwork = before;
  if (header?.glibcVersionRuntime === undefined) process.env['LIBC'] = 'musl';
}

/**
 * Loads the compiled addon: a prebuilt one that fits this system, or one built from source.
 *
 * The environment variable NODE_MULTIPROCESSING_ADDON names another file to load, such as one built with a sanitizer.
 */
export function loadAddon(): unknown {
  if (process.platform === 'win32') {
    throw unsupported('node-multiprocessing needs POSIX pipes and semaphores; it does not run on Windows');
  }
  if (process.versions['bun'] !== undefined) {
    throw unsupported('node-multiprocessing needs libuv, which Bun does not have');
  }
  const named = process.env['NODE_MULTIPROCESSING_ADDON'];
  loaded = named !== undefined && named !== '' ? named : (toldByParent() ?? findAddon());
  return require(loaded);
}

function findAddon(): string {
  const { resolve } = require('node-gyp-build') as { resolve(folder: string): string };
  const root = packageRoot();
  try {
    return resolve(root);
  } catch (first) {
    stateLibc();
    try {
      return resolve(root);
    } catch {
      // The first error says what was looked for; the second attempt only differs in the C library.
      throw missing(first);
    }
  }
}

function missing(cause: unknown): Error {
  return Object.assign(
    new Error(
      `The native addon of node-multiprocessing could not be loaded for ${process.platform}-${process.arch}, ` +
        `Node ${process.versions.node}. If its install script was not allowed to run, build it with ` +
        '"npm install-scripts approve node-multiprocessing && npm rebuild node-multiprocessing" ' +
        '(needs Python 3, make and a C++20 compiler).',
      { cause },
    ),
    { code: 'ERR_MP_NOT_SUPPORTED' },
  );
}
