// SPDX-License-Identifier: MIT
//
// Bundles a program with each bundler, once with the package in the bundle as far as the bundler is concerned and once with the
// package named as external, and runs the results. Outside of a folder with node_modules the bundle must say what to do.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { npm } from '../package.mjs';
import { root } from '../support.mjs';

const PACKAGES = {
  esbuild: ['esbuild@0.28.2'],
  rollup: ['rollup@4.68.8', '@rollup/plugin-node-resolve@16.0.3', '@rollup/plugin-commonjs@29.0.3'],
  webpack: ['webpack@5.113.0'],
  ncc: ['@vercel/ncc@0.45.0'],
  vite: ['vite@8.4.0'],
  nft: ['@vercel/nft@1.11.5'],
};

/** @typedef {keyof typeof PACKAGES} Tool */

/** For each tool, programs that read `input`, `outDir` and `external` as variables and write the bundle. */
const BUNDLERS = {
  esbuild: {
    esm: esbuild('esm', 'mjs'),
    cjs: esbuild('cjs', 'cjs'),
  },
  rollup: { es: rollup('es', 'mjs'), cjs: rollup('cjs', 'cjs') },
  webpack: {
    cjs: webpack('output: { path: outDir, filename: "out.cjs" }'),
    esm: webpack(`experiments: { outputModule: true },
      output: { path: outDir, filename: "out.mjs", module: true, library: { type: "module" } }`),
  },
  ncc: {
    cjs: `import ncc from '@vercel/ncc';
      import { writeFileSync, mkdirSync } from 'node:fs';
      const { code } = await ncc(input, { externals: external, quiet: true });
      mkdirSync(outDir, { recursive: true });
      writeFileSync(outDir + (/^import /m.test(code) ? '/out.mjs' : '/out.cjs'), code);`,
  },
  vite: {
    ssr: `import { build } from 'vite';
      await build({ logLevel: 'error', configFile: false, root: dirname(input),
        ssr: external.length > 0 ? {} : { noExternal: true },
        build: { ssr: input, outDir, rollupOptions: { output: { entryFileNames: 'out.mjs' } } } });`,
  },
};

/** @param {string} format @param {string} extension */
function esbuild(format, extension) {
  return `import { build } from 'esbuild';
    await build({ entryPoints: [input], bundle: true, platform: 'node', format: '${format}', external,
      outfile: outDir + '/out.${extension}', logLevel: 'error' });`;
}

/** @param {string} format @param {string} extension */
function rollup(format, extension) {
  return `import { rollup } from 'rollup';
    import { nodeResolve } from '@rollup/plugin-node-resolve';
    import commonjs from '@rollup/plugin-commonjs';
    const result = await rollup({ input, external, plugins: [nodeResolve(), commonjs()],
      onwarn({ message }) { throw new Error(message); } });
    await result.write({ file: outDir + '/out.${extension}', format: '${format}' });`;
}

/** @param {string} settings */
function webpack(settings) {
  return `import webpack from 'webpack';
    await new Promise((resolve, reject) => webpack({ mode: 'production', target: 'node20', entry: input, ${settings},
      externals: external.length > 0 ? { 'node-multiprocessing': (/mjs/.test(${JSON.stringify(settings)}) ? 'module ' : 'commonjs ') + 'node-multiprocessing' } : {},
    }, (error, stats) => {
      if (error) reject(error);
      else if (stats.hasErrors() || stats.hasWarnings()) reject(new Error(stats.toString()));
      else resolve();
    }));`;
}

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @param {string} cwd
 */
function node(file, args, cwd) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { cwd, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

/**
 * @param {string} title
 * @param {boolean} isRight
 * @param {string} output
 */
function check(title, isRight, output) {
  if (!isRight) throw new Error(`${title} failed:\n${output}`);
}

/**
 * @param {string} title
 * @param {string} script A file that runs a bundler.
 * @param {string} program
 * @param {string} outDir A folder below that of the program.
 * @param {string} elsewhere A folder that has no node_modules.
 * @param {boolean} isExternal
 */
function checkBundle(title, script, program, outDir, elsewhere, isExternal) {
  const app = path.dirname(program);
  const built = node(script, [program, outDir, isExternal ? 'node-multiprocessing' : ''], app);
  check(`${title}: bundling`, built.status === 0, built.output);
  const out = path.join(outDir, readdirSync(outDir).find((name) => /^out\.[cm]js$/.test(name)) ?? 'none');
  const child = path.join(app, 'child.mjs');
  const ran = node(out, [child], app);
  // ncc has conditions of its own, and so takes the files of the package.
  const mustRefuse = title.startsWith('ncc') && !isExternal;
  const isRight = mustRefuse ? /cannot be a part of a bundle/.test(ran.output) : ran.output === 'JoinableQueue true\n';
  check(`${title}: running`, isRight, ran.output);
  if (isExternal) return;
  const moved = path.join(elsewhere, path.basename(out));
  cpSync(out, moved);
  const alone = node(moved, [child], elsewhere);
  check(`${title}: running alone`, /cannot be a part of a bundle/.test(alone.output), alone.output);
}

/**
 * Copies the files that @vercel/nft finds to another folder and runs the program there.
 *
 * @param {string} tools
 * @param {string} app
 * @param {string} elsewhere
 */
function checkTracing(tools, app, elsewhere) {
  const script = path.join(tools, 'nft.mjs');
  writeFileSync(
    script,
    `import { nodeFileTrace } from '@vercel/nft';
    import { cpSync } from 'node:fs';
    const [app, target] = process.argv.slice(2);
    const { fileList } = await nodeFileTrace([app + '/main.mjs', app + '/child.mjs'], { base: app });
    for (const file of fileList) cpSync(app + '/' + file, target + '/' + file, { dereference: true });`,
  );
  const copy = path.join(elsewhere, 'traced');
  const traced = node(script, [app, copy], app);
  check('nft', traced.status === 0, traced.output);
  const ran = node(path.join(copy, 'main.mjs'), [path.join(copy, 'child.mjs')], copy);
  check('nft: the traced copy', ran.output === 'JoinableQueue true\n', ran.output);
}

/**
 * @param {string} user The folder in which the package is installed.
 * @param {string} folder A folder for the tools and for results.
 * @param {readonly Tool[]} chosen
 */
export async function checkBundlers(user, folder, chosen) {
  const [tools, elsewhere] = [path.join(folder, 'bundlers'), path.join(folder, 'elsewhere')];
  for (const made of [tools, elsewhere]) mkdirSync(made);
  for (const name of ['main.mjs', 'main.cjs', 'child.mjs']) {
    cpSync(path.join(root, 'test', 'package', 'bundled', name), path.join(user, name));
  }
  writeFileSync(path.join(tools, 'package.json'), '{ "private": true }\n');
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  await npm(tools, ['install', ...flags, ...chosen.flatMap((tool) => PACKAGES[tool])]);
  let bundles = 0;
  for (const tool of chosen) {
    if (tool === 'nft') {
      checkTracing(tools, user, elsewhere);
      continue;
    }
    for (const [format, text] of Object.entries(BUNDLERS[tool])) {
      const script = path.join(tools, `${tool}-${format}.mjs`);
      const start = `import { dirname } from 'node:path';
        const [input, outDir, ...others] = process.argv.slice(2);
        const external = others.filter(Boolean);\n`;
      writeFileSync(script, start + text);
      for (const program of ['main.mjs', 'main.cjs']) {
        for (const isExternal of [false, true]) {
          // An ES module has no require(), which esbuild does not replace.
          if (tool === 'esbuild' && format === 'esm' && program === 'main.cjs' && isExternal) continue;
          const title = `${tool}, ${format}, ${program}, ${isExternal ? 'external' : 'bundled'}`;
          const outDir = path.join(user, 'out', title.replaceAll(/\W+/g, '-'));
          checkBundle(title, script, path.join(user, program), outDir, elsewhere, isExternal);
          bundles += 1;
        }
      }
    }
  }
  check('nft', !chosen.includes('nft') || existsSync(path.join(elsewhere, 'traced')), 'no copy');
  console.log(`bundlers: ${bundles} bundles of ${chosen.join(', ')} work`);
}

/** @type {readonly Tool[]} */
export const allBundlers = ['esbuild', 'rollup', 'webpack', 'ncc', 'vite', 'nft'];
