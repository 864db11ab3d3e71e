// SPDX-License-Identifier: MIT
//
// The package managers that install the packed packages.
import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * @typedef {object} Manager
 * @property {string} name
 * @property {string} from What npm installs to have it.
 * @property {(place: string) => string} program Its file below node_modules.
 * @property {readonly string[]} add The arguments that add the package.
 * @property {(url: string) => Record<string, string>} files The settings in the user's folder.
 * @property {string} restore The command that an error about a missing addon names.
 * @property {boolean} [standsAlone] It needs no Node.
 * @property {readonly string[]} [run] How it runs a program, if Node alone does not find the package.
 */

export const NAME = 'node-multiprocessing';
const npmrc = (/** @type {string} */ url) => ({ '.npmrc': `registry=${url}/\n` });

/** @param {string} major @returns {Manager} */
const npmOf = (major) => ({
  name: `npm ${major}`,
  from: `npm@${major}`,
  program: () => 'npm/bin/npm-cli.js',
  add: ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', NAME],
  restore: 'npm install --include=optional',
  files: npmrc,
});

/** @param {string} major @returns {Manager} */
const pnpmOf = (major) => ({
  name: `pnpm ${major}`,
  from: `pnpm@${major}`,
  program: (place) => binOf(place, 'pnpm'),
  add: ['add', '--ignore-scripts', NAME],
  restore: 'pnpm install --config.optional=true',
  files: npmrc,
});

/** @param {string} linker @returns {Manager} */
const yarnOf = (linker) => ({
  name: `yarn 4, ${linker}`,
  from: '@yarnpkg/cli-dist@4',
  program: () => '@yarnpkg/cli-dist/bin/yarn.js',
  add: ['add', NAME],
  restore: 'yarn install',
  files: (url) => ({
    '.yarnrc.yml': [
      `npmRegistryServer: "${url}"`,
      'unsafeHttpWhitelist: ["127.0.0.1"]',
      `nodeLinker: ${linker}`,
      'enableScripts: false',
      'enableTelemetry: false',
      'enableGlobalCache: false',
      '',
    ].join('\n'),
    'yarn.lock': '',
  }),
  ...(linker === 'pnp' ? { run: ['node'] } : {}),
});

/** @type {readonly Manager[]} */
export const MANAGERS = [
  ...['10', '11', '12'].map(npmOf),
  ...['10', '11'].map(pnpmOf),
  // A program of its own; the package "pnpm" needs an install script to choose it.
  {
    ...pnpmOf('12'),
    from: '@pnpm/exe.linux-x64@12',
    program: () => '@pnpm/exe.linux-x64/pnpm',
    standsAlone: true,
  },
  ...['node-modules', 'pnp'].map(yarnOf),
  {
    name: 'bun install',
    from: '@oven/bun-linux-x64',
    program: () => '@oven/bun-linux-x64/bin/bun',
    add: ['add', '--ignore-scripts', NAME],
    restore: 'bun install',
    files: (url) => ({ 'bunfig.toml': `[install]\nregistry = "${url}/"\n` }),
    standsAlone: true,
  },
];

/** @param {string} place @param {string} name */
export function manifestOf(place, name) {
  /** @type {unknown} */
  const manifest = JSON.parse(readFileSync(path.join(place, 'node_modules', name, 'package.json'), 'utf8'));
  return /** @type {{ bin?: string | Record<string, string>, engines?: { node?: string } }} */ (manifest);
}

/** @param {string} place @param {string} name */
function binOf(place, name) {
  const { bin } = manifestOf(place, name);
  return path.join(name, typeof bin === 'string' ? bin : (bin?.[name] ?? ''));
}
