// SPDX-License-Identifier: MIT
//
// Compiles lib/ to dist/: declarations by the TypeScript compiler, which also checks the types, and JavaScript by a bundler.
// Every process that this package starts loads it before anything else, and loading forty modules takes several times as
// long as loading the same code from a few files. These are CommonJS, which loads without a turn of the event loop for each
// file, and lets lib/reduction/registry.ts load the rest in the middle of a call. What users import is an ES module around them.
//
//   node scripts/build.mjs [--modules]
//
// With --modules each module is compiled by itself as well, to out/lib/, for tests that look inside.
import { build } from 'esbuild';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { main, root, runTool } from './support.mjs';

/** What processes begin with, and what they load later; these share their code. */
const ENTRIES = [
  'index',
  'child-main',
  'synchronize/reduction',
  'queues/reduction',
  'python/pickling',
  'python/rebuild',
];

/** @type {import('esbuild').BuildOptions} */
const common = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
};

/**
 * The program for the command line, which stands for itself.
 *
 * @param {string} folder
 */
async function bundleProgram(folder) {
  const { outputFiles } = await build({
    ...common,
    entryPoints: [path.join(root, 'lib', 'cli', 'main.ts')],
    outdir: path.join(folder, 'cli'),
    write: false,
  });
  for (const { path: file, text } of outputFiles) write(file, file.endsWith('.js') ? withClassNames(text) : text);
}

/** @param {string} folder */
async function bundleLibrary(folder) {
  const inner = path.join(folder, 'cjs');
  const { outputFiles, metafile } = await build({
    ...common,
    entryPoints: ENTRIES.map((name) => path.join(root, 'lib', `${name}.ts`)),
    outbase: path.join(root, 'lib'),
    outdir: inner,
    splitting: true,
    chunkNames: 'shared/[hash]',
    define: { 'import.meta.url': MODULE_URL },
    metafile: true,
    write: false,
  });
  write(path.join(inner, 'package.json'), '{ "type": "commonjs" }\n');
  for (const { path: file, text } of outputFiles) {
    write(file, file.endsWith('.js') ? toCommonJs(withClassNames(text)) : text);
  }
  const [names] = Object.entries(metafile.outputs)
    .filter(([file]) => path.resolve(file) === path.join(inner, 'index.js'))
    .map(([, output]) => output.exports.sort().join(', '));
  const load = "process.getBuiltinModule('node:module').createRequire(import.meta.url)";
  write(path.join(folder, 'index.js'), `export const { ${names} } = ${load}('./cjs/index.js');\n`);
}

/**
 * @param {string} file
 * @param {string} text
 */
function write(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
}

const MODULE_URL = '__moduleUrl';

/**
 * The bundler splits ES modules only. What it writes imports and exports by name and nothing else, and no file imports one
 * that imports it, so that the values can be handed over when a file has run. Lines stay where the source map has them.
 *
 * @param {string} code
 */
function toCommonJs(code) {
  const url = code.includes(MODULE_URL)
    ? `const ${MODULE_URL} = require('node:url').pathToFileURL(__filename).href; `
    : '';
  const converted = code
    .replace(/^import (\{[^}]*\}) from ("[^"]*");/gm, (_, names, from) => {
      return `const ${String(names).replace(/ as /g, ': ')} = require(${String(from)});`;
    })
    .replace(/^import ("[^"]*");/gm, 'require($1);')
    .replace(/^export (\{[^}]*\});/gm, (_, names) => {
      return `module.exports = ${String(names).replace(/(\S+) as ([^\s,]+)/g, '$2: $1')};`;
    });
  const left = /^(import [{"*\w]+[^\n]* from |import "|export ).*/m.exec(converted);
  if (left !== null) throw new Error(`This is not converted to CommonJS: ${left[0]}`);
  return url + converted;
}

/**
 * A class that names itself is bundled as `var Name = class _Name`, and would be called so in stack traces.
 *
 * @param {string} code
 */
function withClassNames(code) {
  const pattern = /^var (\w+) = class _\1\b/gm;
  const names = [...code.matchAll(pattern)].map(([, name]) => `${name}`);
  const declared = code.replace(pattern, 'class $1');
  return names.reduce((text, name) => text.replace(new RegExp(`\\b_${name}\\b`, 'g'), name), declared);
}

await main(async () => {
  const output = path.join(root, 'dist');
  const fresh = path.join(root, 'out', `dist-${process.pid}`);
  const compile = ['-p', 'tsconfig.build.json', '--outDir'];
  await runTool('typescript/bin/tsc', [...compile, fresh, '--emitDeclarationOnly']);
  await bundleLibrary(fresh);
  await bundleProgram(fresh);
  if (process.argv.includes('--modules')) {
    const modules = path.join(root, 'out', 'lib');
    rmSync(modules, { recursive: true, force: true });
    await runTool('typescript/bin/tsc', [...compile, modules, '--declaration', 'false']);
  }
  // In one step, for those who are loading it at this moment.
  const previous = path.join(root, 'out', `previous-dist-${process.pid}`);
  if (existsSync(output)) renameSync(output, previous);
  renameSync(fresh, output);
  rmSync(previous, { recursive: true, force: true });
});
