// SPDX-License-Identifier: MIT
//
// Compiles lib/ to dist/: declarations by the TypeScript compiler, which also checks the types, and JavaScript by a bundler.
// Every process that this package starts loads it before anything else, and loading forty modules takes several times as
// long as loading the same code from a few files.
//
//   node scripts/build.mjs [--modules]
//
// With --modules each module is compiled by itself as well, to out/lib/, for tests that look inside.
import { build } from 'esbuild';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { main, root, runTool } from './support.mjs';

/**
 * @param {readonly string[]} names
 * @param {string} folder
 */
async function bundle(names, folder) {
  const { outputFiles } = await build({
    entryPoints: names.map((name) => path.join(root, 'lib', `${name}.ts`)),
    outdir: folder,
    bundle: true,
    splitting: names.length > 1,
    chunkNames: 'shared',
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    packages: 'external',
    sourcemap: true,
    logLevel: 'warning',
    write: false,
  });
  for (const file of outputFiles) {
    mkdirSync(path.dirname(file.path), { recursive: true });
    const text = file.path.endsWith('.js') ? withClassNames(file.text) : file.text;
    writeFileSync(file.path, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
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
  // What users import and what child processes run share their code; the program for the command line stands for itself.
  await bundle(['index', 'child-main'], fresh);
  await bundle(['cli'], fresh);
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
