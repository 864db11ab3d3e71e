// SPDX-License-Identifier: MIT
import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { runsOwnChildProgram } from './child-program.js';
import { installedAddon, packageOf, targets, thisTarget } from './prebuilt.js';

const require = createRequire(import.meta.filename);

/** Where node-gyp writes the addon, below the root of a checkout. */
const BUILT_HERE = 'build/Release/multiprocessing.node';

interface OwnPackage {
  readonly folder: string;
  readonly version: string;
}

/** The package.json of a folder, if the folder is the root of a package. Below the root, one without a name only sets the module type. */
function readPackage(folder: string): { readonly version: string } | undefined {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return undefined;
  const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
  return name === undefined ? undefined : { version: version ?? '' };
}

/** This package, whichever folder below it this code was compiled to. */
function ownPackage(): OwnPackage {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const found = readPackage(folder);
    if (found !== undefined) return { folder, version: found.version };
    if (dirname(folder) === folder) return { folder, version: '' };
  }
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

function unsupported(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, cause === undefined ? {} : { cause }), { code: 'ERR_MP_NOT_SUPPORTED' });
}

/**
 * Loads the compiled addon: the one that was built in this checkout, or that of the package for this system.
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
  loaded = named !== undefined && named !== '' ? named : (passedByParent() ?? findAddon(ownPackage()));
  try {
    return require(loaded);
  } catch (error) {
    throw unsupported(`The addon ${loaded} of node-multiprocessing could not be loaded: ${messageOf(error)}`, error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function findAddon(own: OwnPackage): string {
  const built = join(own.folder, BUILT_HERE);
  if (existsSync(built)) return built;
  const target = thisTarget();
  const file = installedAddon(target);
  if (file === undefined) throw missing(target, own);
  const version = readPackage(dirname(file))?.version;
  if (version === own.version) return file;
  throw unsupported(
    `${packageOf(target)} has version ${version}, and node-multiprocessing has version ${own.version}. ` +
      `The two must be the same: ${installCommand(own.folder)}`,
  );
}

function missing(target: string, { folder }: OwnPackage): Error {
  const start = `The addon of node-multiprocessing for ${target} (Node ${process.versions.node}) is not installed. `;
  // A checkout has the sources, and no optional packages.
  if (existsSync(join(folder, 'binding.gyp'))) {
    return unsupported(`${start}Build it: "npm run build:native" (needs Python 3, make and a C++20 compiler)`);
  }
  if (!targets.includes(target)) {
    return unsupported(`${start}There are packages for ${targets.join(', ')}; elsewhere, build it in a checkout`);
  }
  return unsupported(
    `${start}It is in the optional package ${packageOf(target)}. Perhaps optional packages were left out, or ` +
      `node_modules was made on a system of another kind. Install again on this system: ${installCommand(folder)}`,
  );
}

/** The files by which the package manager of a program is known, and its command that installs optional packages. */
const MANAGERS = [
  ['pnpm-lock.yaml', '"pnpm install --config.optional=true"'],
  ['yarn.lock', '"yarn install"'],
  ['bun.lock', '"bun install"'],
  ['package-lock.json', '"npm install --include=optional"'],
] as const;

/** The command of the package manager that has installed the package. */
function installCommand(installed: string): string {
  for (let folder = installed; dirname(folder) !== folder; folder = dirname(folder)) {
    const found = MANAGERS.find(([file]) => existsSync(join(folder, file)));
    if (found !== undefined) return found[1];
  }
  return '"npm install --include=optional"';
}
