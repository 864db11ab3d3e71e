// SPDX-License-Identifier: MIT
//
// Installs the packed packages with each package manager from a registry of their own, and runs what users run: README's first
// example, programs of both kinds of modules, test runners, compilers, Node's permission model, a read-only file system. All of
// it under each release of Node that the tool accepts. Every case is run; a table of them is the end.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bareEnvironment, installPackage, npm, pythonExecutable } from '../package.mjs';
import { outputOf, root } from '../support.mjs';
import { MANAGERS, manifestOf, NAME } from './managers.mjs';
import { installNode } from './nodes.mjs';
import { startRegistry } from './registry.mjs';
import { forEachPair } from './versions.mjs';

const MAJORS = ['20', '22', '24', '26'];

/** The longest time from the first command to the first message, in milliseconds. */
const FIRST_MESSAGE_MS = 15_000;
const LONGEST_MS = 180_000;

/** What the first example of README prints. */
const EXAMPLE = "[ 'to', 2 ] [ 'well', 2 ]\n";

/**
 * A Node, as an executable and by its version.
 *
 * @typedef {{ file: string, version: string, major: number, minor: number }} Node
 */

/**
 * Whether a range such as `^20.17.0 || >=22.9.0` has a version. Only these two operators are known.
 *
 * @param {string | undefined} range
 * @param {Node} node
 */
function accepts(range, { version }) {
  const compare = (/** @type {number[]} */ a, /** @type {number[]} */ b) =>
    (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0) || (a[2] ?? 0) - (b[2] ?? 0);
  const numbers = (/** @type {string} */ text) => text.replace(/^\D*/, '').split('.').map(Number);
  const own = numbers(version);
  return (range ?? '>=0').split('||').some((part) => {
    const least = numbers(part.trim());
    return compare(own, least) >= 0 && (part.includes('>') || own[0] === least[0]);
  });
}

/** The cases that ran. @typedef {{ what: string, node: string, problem: string | undefined, note: string }} Case */

class Table {
  /** @type {Case[]} */
  cases = [];

  /** @param {string} only A part of the names of the wanted cases. */
  constructor(only) {
    this.only = only;
  }

  /**
   * @param {string} what
   * @param {Node} node
   * @param {() => string | void} body Throws if the case fails; may return a note.
   */
  run(what, node, body) {
    if (!what.includes(this.only)) return;
    let problem;
    let note = '';
    try {
      note = body() ?? '';
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    this.cases.push({ what, node: node.version, problem, note });
    console.log(`${problem === undefined ? 'ok    ' : 'FAILED'} ${what}, Node ${node.version} ${note}`);
    if (problem !== undefined) console.log(problem.slice(0, 3000));
  }

  /** A row for each tool, with the releases of Node. */
  print() {
    const names = [...new Set(this.cases.map(({ what }) => what))];
    const versions = [...new Set(this.cases.map(({ node }) => node))];
    console.log(`\n| | ${versions.join(' | ')} |\n| --- |${' --- |'.repeat(versions.length)}`);
    for (const name of names) {
      const cells = versions.map((version) => {
        const found = this.cases.find(({ what, node }) => what === name && node === version);
        return found === undefined ? '-' : found.problem === undefined ? `works${found.note}` : 'fails';
      });
      console.log(`| ${name} | ${cells.join(' | ')} |`);
    }
  }
}

/**
 * Runs a program to its end. Throws unless it ends with 0 and prints what is expected.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} env
 * @param {string} [expected]
 */
function must(command, args, cwd, env, expected) {
  const done = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: LONGEST_MS });
  const output = `${done.stdout}${done.stderr}${done.error?.message ?? ''}`;
  if (done.status !== 0 || (expected !== undefined && !done.stdout.endsWith(expected))) {
    throw new Error(`${[command, ...args].join(' ')} (exit code ${done.status})\n${output}`);
  }
  return done.stdout;
}

/**
 * An environment in which there is no program but this Node and Python.
 *
 * @param {string} folder
 * @param {string} node
 */
function cleanEnvironment(folder, node) {
  const env = bareEnvironment(folder, node);
  symlinkSync(pythonExecutable(), path.join(folder, 'bin', 'python3'));
  const home = path.join(folder, 'home');
  mkdirSync(home);
  // A link to Python is not enough for it to find its library.
  return { ...env, HOME: home, PYTHON: pythonExecutable(), CI: 'true', TMPDIR: home };
}

/**
 * Takes the addon away. The error must name the command of the manager.
 *
 * @param {import('./managers.mjs').Manager} manager
 * @param {Node} node
 * @param {string} user
 * @param {NodeJS.ProcessEnv} env
 */
function checkMissing({ restore, run }, node, user, env) {
  // Plug'n'Play resolves what is no longer there.
  if (run !== undefined) return;
  outputOf('find', [user, '-name', 'multiprocessing.node', '-delete']);
  // Node 20 ends with the error of a CommonJS module that an ES module imports, even if import() is caught.
  const program = `try { require('${NAME}'); } catch ({ message }) { console.log(message); }`;
  const message = must(node.file, ['-e', program], user, env);
  if (!message.includes(`"${restore}"`)) throw new Error(`Without its addon the package says: ${message}`);
}

/**
 * @param {Table} table
 * @param {string} folder
 * @param {string} url
 * @param {readonly Node[]} nodes
 */
async function tryManagers(table, folder, url, nodes) {
  for (const manager of MANAGERS) {
    if (!manager.name.includes(table.only)) continue;
    const label = manager.name.replaceAll(/\W+/g, '-');
    const place = path.join(folder, `tool-${label}`);
    mkdirSync(place);
    writeFileSync(path.join(place, 'package.json'), '{ "private": true }\n');
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await npm(place, ['install', ...flags, manager.from]);
    const program = path.join(place, 'node_modules', manager.program(place));
    const engines = manager.standsAlone
      ? undefined
      : manifestOf(place, manager.from.replace(/(?<=.)@.*/, '')).engines?.node;
    for (const node of nodes) {
      if (!accepts(engines, node)) continue;
      const user = path.join(folder, `user-${label}-${node.major}`);
      table.run(manager.name, node, () => {
        mkdirSync(user);
        const env = cleanEnvironment(path.join(folder, `env-${label}-${node.major}`), node.file);
        const settings = { 'package.json': '{ "private": true, "type": "module" }\n', ...manager.files(url) };
        for (const [name, text] of Object.entries(settings)) writeFileSync(path.join(user, name), text);
        for (const name of ['main.mjs', 'words.py']) {
          cpSync(path.join(root, 'examples', 'shared-queue', name), path.join(user, name));
        }
        cpSync(path.join(root, 'test', 'package', 'consumer.cjs'), path.join(user, 'consumer.cjs'));
        const start = performance.now();
        const tool = (/** @type {readonly string[]} */ args, /** @type {string | undefined} */ expected) =>
          manager.standsAlone
            ? must(program, args, user, env, expected)
            : must(node.file, [program, ...args], user, env, expected);
        tool(manager.add, undefined);
        const run = (/** @type {readonly string[]} */ args, /** @type {string | undefined} */ expected) =>
          manager.run === undefined
            ? must(node.file, args, user, env, expected)
            : tool([...manager.run, ...args], expected);
        run(['main.mjs'], EXAMPLE);
        const ms = performance.now() - start;
        run(['consumer.cjs', pythonExecutable()], undefined);
        checkMissing(manager, node, user, env);
        if (ms > FIRST_MESSAGE_MS) throw new Error(`The first message took ${Math.round(ms)} ms`);
        return ` (${(ms / 1000).toFixed(1)} s)`;
      });
    }
  }
}

/**
 * Makes a single executable application: a copy of Node with a program in it.
 *
 * @param {string} folder
 * @param {Node} node
 * @param {string} user The folder that has the package and postject.
 * @returns {string} Its file.
 */
function single(folder, node, user) {
  mkdirSync(folder);
  const main = path.join(folder, 'single.cjs');
  const program = readFileSync(path.join(user, 'single.cjs'), 'utf8').replaceAll('<folder>', `${user}/`);
  writeFileSync(main, program);
  const settings = { main, output: path.join(folder, 'single.blob'), disableExperimentalSEAWarning: true };
  writeFileSync(path.join(folder, 'sea.json'), JSON.stringify(settings));
  must(node.file, ['--experimental-sea-config', 'sea.json'], folder, {});
  const file = path.join(folder, 'single');
  cpSync(node.file, file);
  const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
  const postject = path.join(user, 'node_modules', 'postject', 'dist', 'cli.js');
  must(process.execPath, [postject, file, 'NODE_SEA_BLOB', settings.output, '--sentinel-fuse', fuse], folder, {});
  return file;
}

const TOOLS = [
  'postject@1.0.0-alpha.6',
  'jest@30',
  'vitest@5',
  'vite@8',
  'typescript@5.9',
  'tsx@4',
  'ts-node@10',
  '@types/node@20',
];

/**
 * @param {Table} table
 * @param {string} folder
 * @param {import('../package.mjs').Packed} packed
 * @param {readonly Node[]} nodes
 */
async function tryTools(table, folder, packed, nodes) {
  const user = path.join(folder, 'tools');
  await installPackage(user, packed, process.execPath);
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--no-save', '--legacy-peer-deps'];
  await npm(user, ['install', ...flags, ...TOOLS, packed.main, ...Object.values(packed.addons)]);
  cpSync(path.join(root, 'test', 'package', 'runners'), user, { recursive: true });
  const program = readFileSync(path.join(user, 'program.ts'), 'utf8');
  writeFileSync(path.join(user, 'program.mts'), program.replace("'<module>'", 'import.meta.url'));
  writeFileSync(path.join(user, 'program.cts'), program.replace("'<module>'", '__filename'));
  writeFileSync(
    path.join(user, 'jest.config.json'),
    '{ "testMatch": ["**/objects.test.cjs", "**/objects.test.mjs"] }\n',
  );
  const bin = (/** @type {string} */ file) => path.join(user, 'node_modules', file);
  for (const node of nodes) {
    const env = { PATH: `${path.dirname(node.file)}:${process.env['PATH']}`, HOME: user, CI: 'true' };
    const run = (
      /** @type {string} */ what,
      /** @type {readonly string[]} */ args,
      /** @type {string} */ expected = '',
      more = {},
    ) => {
      table.run(what, node, () => void must(node.file, args, user, { ...env, ...more }, expected));
    };
    const jest = [bin('jest/bin/jest.js'), '--config', 'jest.config.json'];
    if (accepts(manifestOf(user, 'jest').engines?.node, node)) {
      run('Jest, CommonJS', [...jest, 'objects.test.cjs']);
      run('Jest, vm modules', ['--experimental-vm-modules', ...jest, 'objects.test.mjs']);
    }
    if (accepts(manifestOf(user, 'vitest').engines?.node, node)) {
      for (const pool of ['forks', 'threads', 'vmForks', 'vmThreads']) {
        run(`Vitest, ${pool}`, [bin('vitest/vitest.mjs'), 'run', '--globals', `--pool=${pool}`, 'objects.test.mjs']);
      }
    }
    run('node:test', ['--test', 'objects.test.mjs']);
    run('tsx', [bin('tsx/dist/cli.mjs'), 'program.mts'], '42\n');
    run('tsx, CommonJS', [bin('tsx/dist/cli.mjs'), 'program.cts'], '42\n');
    run('ts-node', ['-r', 'ts-node/register/transpile-only', 'program.cts'], '42\n', {
      TS_NODE_COMPILER_OPTIONS: '{"module":"commonjs"}',
    });
    if (node.major > 22 || (node.major === 22 && node.minor >= 18)) {
      run('type stripping', ['--disable-warning=ExperimentalWarning', 'program.mts'], '42\n');
    }
    const permission =
      node.major > 22 || (node.major === 22 && node.minor >= 13) ? '--permission' : '--experimental-permission';
    const allowed = [permission, `--allow-fs-read=${folder}`, '--allow-addons', '--allow-child-process'];
    run('permission model', [...allowed, '--disable-warning=SecurityWarning', 'strict.mjs'], 'JoinableQueue\n');
    table.run('single executable', node, () => {
      must(
        single(path.join(folder, `single-${node.major}`), node, user),
        [node.file],
        user,
        env,
        'refused JoinableQueue\n',
      );
    });
    if (process.getuid?.() === 0) {
      const mount = `mount --bind "${user}" "${user}" && mount -o remount,ro,bind "${user}" && exec "$@"`;
      table.run('read-only file system', node, () => {
        const args = ['--mount', 'sh', '-c', mount, 'sh', node.file, path.join(user, 'strict.mjs')];
        must('unshare', args, user, env, 'JoinableQueue\n');
      });
    }
  }
  const own = nodes[0];
  if (own === undefined) return;
  for (const [module, resolution] of [
    ['node16', 'node16'],
    ['node20', 'node16'],
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    for (const file of readdirSync(user).filter((name) => /^program\.[mc]ts$/.test(name))) {
      // The compiler refuses require() and __filename in what it makes an ES module of.
      if (resolution === 'bundler' && file.endsWith('.cts')) continue;
      const settings = ['--strict', '--noEmit', '--module', module ?? '', '--moduleResolution', resolution ?? ''];
      table.run(`tsc --strict, ${module}, ${path.extname(file)}`, own, () => {
        const args = [bin('typescript/bin/tsc'), ...settings, '--types', 'node', '--target', 'es2022', file];
        must(own.file, args, user, { PATH: process.env['PATH'] });
      });
    }
  }
}

/**
 * @param {string} folder A folder for all of it.
 * @param {import('../package.mjs').Packed} packed
 * @param {string} [only] A part of the names of the wanted cases. Default: all.
 */
export async function runMatrix(folder, packed, only = '') {
  const { url, close } = await startRegistry([packed.main, ...Object.values(packed.addons)]);
  const table = new Table(only);
  try {
    /** @type {Node[]} */
    const nodes = [];
    for (const wanted of MAJORS) {
      const file = await installNode(path.join(folder, `node-${wanted}`), wanted);
      const version = outputOf(file, ['-p', 'process.versions.node']);
      const [major = 0, minor = 0] = version.split('.').map(Number);
      nodes.push({ file, version, major, minor });
    }
    await tryManagers(table, folder, url, nodes);
    await tryTools(table, folder, packed, nodes);
    await forEachPair(folder, packed, nodes, (node, other, program) => {
      table.run(`exchange with Node ${other.major}`, node, () => {
        must(node.file, [program, other.file], path.dirname(program), { PATH: process.env['PATH'] }, 'exchanged\n');
      });
    });
  } finally {
    close();
    table.print();
  }
  const failed = table.cases.filter(({ problem }) => problem !== undefined);
  if (failed.length > 0 || table.cases.length === 0) {
    throw new Error(`${failed.length} of ${table.cases.length} cases failed`);
  }
}
