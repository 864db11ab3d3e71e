// SPDX-License-Identifier: MIT
import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { runsOwnChildProgram } from './child-program.js';

const require = createRequire(import.meta.url);

/**
 * Whether a folder is the root of a package. Below the root, a package.json without a name only sets the module type.
 */
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

/** The addon file that was loaded. */
let loaded = '';

/** @internal The addon file of this process. Children receive it, so that they need not search for it. */
export function addonFile(): string {
  return loaded;
}

/** The addon file that the parent has passed to this child; see child-main.ts. */
function passedByParent(): string | undefined {
  const file = runsOwnChildProgram ? process.argv[3] : undefined;
  return file === '' ? undefined : file;
}

function unsupported(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_MP_NOT_SUPPORTED' });
}

/**
 * The C library. The report of the runtime works on every distribution, and reads no file: it names the glibc version
 * exactly when there is one.
 */
function libc(): 'glibc' | 'musl' {
  const { report } = process as { report?: { excludeNetwork?: boolean; getReport(): object } };
  if (report === undefined) return 'glibc';
  const before = report.excludeNetwork;
  // Without this the report looks up the names of all open sockets, which can take seconds.
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  if (before !== undefined) report.excludeNetwork = before;
  return header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

/**
 * node-gyp-build, told the C library. It would look for a file of Alpine Linux, which misses other distributions with musl,
 * and fails where the permission model of Node forbids to look.
 */
function nodeGypBuild(): { resolve(folder: string): string } {
  const stated = process.platform !== 'linux' || process.env['LIBC'] !== undefined;
  if (!stated) process.env['LIBC'] = libc();
  try {
    return require('node-gyp-build') as { resolve(folder: string): string };
  } finally {
    if (!stated) delete process.env['LIBC'];
  }
}

/**
 * Loads the compiled addon: a prebuilt one that matches this system, or one built from source.
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
  loaded = named !== undefined && named !== '' ? named : (passedByParent() ?? findAddon());
  return require(loaded);
}

function findAddon(): string {
  try {
    return nodeGypBuild().resolve(packageRoot());
  } catch (error) {
    throw missing(error);
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
