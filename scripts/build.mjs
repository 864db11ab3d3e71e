// SPDX-License-Identifier: MIT
//
// Compiles lib/. The TypeScript compiler checks the types, and writes each module to out/lib/ and its declaration to out/types/, from
// where the tests import what is not public. A bundler makes dist/ from these: JavaScript files, and one declaration without what is
// internal.
//
// Every process that this package starts loads the package before anything else, and loading forty modules takes several
// times as long as loading the same code from a few files. These files are CommonJS: Node loads them without a turn of the
// event loop for each, and a function can load another one in the middle of a call. What users import or require is a module
// around them, so that both get the same classes.
//
//   node scripts/build.mjs
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import commonjsPlugin from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { minify } from 'terser';
import { faceModules } from './faces.mjs';
import { filesBelow, main, replaceFolder, root, runTool } from './support.mjs';

/** The declaration of this package says that its default export is a namespace, and it is a function. */
const commonjs = /** @type {typeof commonjsPlugin.default} */ (/** @type {unknown} */ (commonjsPlugin));

/** @typedef {import('rollup').Plugin} Plugin */
/** @typedef {import('rollup').OutputOptions} OutputOptions */

/** The modules that a process begins with. */
const programs = ['index', 'managers', 'redis', 'child-main'];

/** Those of them that users import: each has files of its name in dist/. */
const faces = ['index', 'managers', 'redis'];

/** The modules that lib/ loads by require(), most of them in the middle of a call. */
const loadedLater = [
  'child-program',
  'synchronize/rebuild',
  'queues/rebuild',
  'shared-memory/rebuild',
  'shared-memory/array-views',
  'serialization/pickle/coders',
  'python/pickling',
  'python/rebuild',
  'python/texts',
  'pool/node/worker',
];

/** Each of these becomes a file of its own, at the same path below dist/cjs/ as below lib/. */
const entries = [...programs, ...loadedLater];

/**
 * The files in dist/cjs/shared/, for modules that several entries import. Each file has the modules on the right and all that
 * these import, directly or not, except for entries and for modules of a file above it. So a file imports only files above it,
 * and no two import each other. Modules that only index imports become a part of index.js. A small module that two of the files
 * need goes into the first one: else an entry would load a large file for its sake (test/package/dist.test.ts).
 */
const shared = {
  'child-base': [
    'child-program',
    'event-loop/driver',
    'reduction/description',
    'core/available-memory',
    'core/redis-errors',
    'serialization/array-mark',
  ],
  synchronize: ['synchronize/rebuild'],
  queues: ['queues/rebuild'],
  'shared-memory': ['shared-memory/rebuild'],
  pickle: [
    'serialization/pickle/index',
    'serialization/pickle/originals',
    'serialization/pickle/known/array',
    'python/array-pickles',
  ],
  listener: ['python/pickling'],
  'current-task': ['pool/node/current-task', 'pool/context', 'pool/protocol'],
  pool: ['pool/pool'],
};

/** The folder of the result. The paths in source maps are relative to it. */
const output = path.join(root, 'dist');

/**
 * Checks the types and writes declarations, and writes JavaScript. The JavaScript has no comments, since every child would read
 * them; source maps lead to the sources.
 *
 * @param {string} modules The folder for the JavaScript.
 * @param {string} declarations
 */
async function compile(modules, declarations) {
  const tsc = (/** @type {string[]} */ ...options) =>
    runTool('typescript/bin/tsc', ['-p', 'tsconfig.build.json', ...options]);
  await Promise.all([
    tsc('--outDir', declarations, '--emitDeclarationOnly'),
    tsc('--outDir', modules, '--declaration', 'false', '--removeComments', '--noCheck'),
  ]);
}

/**
 * Fails if a module in the lists does not exist.
 *
 * @param {string} modules The folder of the compiled modules.
 */
function checkLists(modules) {
  for (const name of [...entries, ...Object.values(shared).flat()]) {
    if (existsSync(path.join(modules, `${name}.js`))) continue;
    throw new Error(`scripts/build.mjs lists ${name}, but there is no lib/${name}.ts`);
  }
}

/** A docstring that is not all of its function. */
const docstring = /^( *)"""[^"]*"""\n(?=\n*\1\S)/gm;

/**
 * Writes a module for each source in another language. It exports the text, which a .d.ts file beside the source declares. Without
 * comments, docstrings and empty lines, and with one space for four at the beginning of a line: pickles carry some of it.
 *
 * @param {string} modules
 */
function writeTexts(modules) {
  for (const file of filesBelow(path.join(root, 'lib')).filter((name) => /\.(py|lua)$/.test(name))) {
    const comment = file.endsWith('.py') ? /^ *#.*$/gm : /^ *--.*$/gm;
    const text = readFileSync(path.join(root, 'lib', file), 'utf8')
      .replace(comment, '')
      .replace(docstring, '')
      .replace(/^(?: {4})+/gm, ({ length }) => ' '.repeat(length / 4))
      .replace(/^\s*\n/gm, '');
    const module = path.join(modules, file.replace(/\.(py|lua)$/, '.js'));
    mkdirSync(path.dirname(module), { recursive: true });
    writeFileSync(module, `export const source = ${JSON.stringify(text)};\n`);
  }
}

/**
 * Reads modules together with the compiler's source maps, so that those of dist/ lead to lib/.
 *
 * @returns {Plugin}
 */
function withSourceMaps() {
  return {
    name: 'with-source-maps',
    load(id) {
      // A module that another plugin makes.
      if (id.startsWith('\0')) return null;
      const map = `${id}.map`;
      // A module that writeTexts has written has no map.
      return { code: readFileSync(id, 'utf8'), map: existsSync(map) ? readFileSync(map, 'utf8') : { mappings: '' } };
    },
  };
}

/**
 * Gives import.meta a value in CommonJS: that of the module as a file of its own below dist/cjs/. So a relative path means the same
 * there as in lib/.
 *
 * @param {string} modules
 * @returns {Plugin}
 */
function withImportMeta(modules) {
  return {
    name: 'with-import-meta',
    resolveImportMeta(property, { chunkId, moduleId }) {
      const file = path.relative(path.dirname(chunkId), path.relative(modules, moduleId));
      const below = (/** @type {string} */ name) => `require('node:path').join(__dirname, '${name}')`;
      if (property === 'filename') return file === path.basename(chunkId) ? '__filename' : below(file);
      if (property === 'dirname') return below(path.dirname(file));
      if (property === 'url') return `new URL('${file}', require('node:url').pathToFileURL(__filename)).href`;
      return null;
    },
  };
}

/**
 * For an error that nothing catches, Node prints the line that threw it, above the stack. A line of this package says nothing to
 * a user, and the stack begins at the user's call (lib/core/user-stack.ts). Node does not print a line with this comment, which
 * its own modules have, too.
 */
const UNPRINTED = ' // node-do-not-add-exception-line';

/**
 * @param {object} value
 * @returns {value is { type: string, start: number, end: number }}
 */
function isNode(value) {
  return 'type' in value && 'start' in value && 'end' in value;
}

/**
 * Adds the comment to each line with a throw, at the end, so that source maps need no change.
 *
 * @returns {Plugin}
 */
function withUnprintedThrows() {
  return {
    name: 'with-unprinted-throws',
    renderChunk(code) {
      /** @type {Set<number>} */
      const lineEnds = new Set();
      // A line that ends inside a template can have no comment.
      /** @type {{ start: number, end: number }[]} */
      const texts = [];
      const visit = (/** @type {unknown} */ value) => {
        if (typeof value !== 'object' || value === null) return;
        if (isNode(value) && value.type === 'ThrowStatement') lineEnds.add(code.indexOf('\n', value.start));
        if (isNode(value) && value.type === 'TemplateElement') texts.push(value);
        Object.values(value).forEach(visit);
      };
      visit(this.parse(code));
      const isInText = (/** @type {number} */ at) => texts.some(({ start, end }) => start <= at && at < end);
      const marked = [...lineEnds].filter((at) => !isInText(at)).sort((a, b) => b - a);
      const result = marked.reduce((text, at) => text.slice(0, at) + UNPRINTED + text.slice(at), code);
      return { code: result, map: null };
    },
  };
}

/**
 * Shortens the names of variables and of private members, and removes spaces and comments other than licences. Statements end
 * with their lines, and functions and classes keep their names, so stacks stay readable. A program whose errors have no stacks
 * needs neither.
 *
 * @param {boolean} hasStacks
 * @returns {Plugin}
 */
function withShortNames(hasStacks) {
  return {
    name: 'with-short-names',
    async renderChunk(code, _, { format }) {
      const { code: short = '', map } = await minify(code, {
        module: format === 'es',
        compress: !hasStacks,
        mangle: { toplevel: true, keep_classnames: true, keep_fnames: hasStacks },
        format: { semicolons: !hasStacks, comments: /^\n?Includes / },
        sourceMap: { asObject: true },
      });
      return { code: `${short}\n`, map: /** @type {import('rollup').ExistingRawSourceMap} */ (map) };
    },
  };
}

/**
 * Chooses the shared file for each module.
 *
 * @param {string} modules
 * @returns {import('rollup').GetManualChunk}
 */
function sharedFileOf(modules) {
  const fileOf = (/** @type {string} */ name) => path.join(modules, `${name}.js`);
  const own = new Set(entries.map(fileOf));
  /** @type {Map<string, string> | undefined} */
  let names;
  return (id, { getModuleInfo }) => {
    if (names === undefined) {
      const assigned = (names = new Map());
      for (const [name, listed] of Object.entries(shared)) {
        const visited = new Set();
        const visit = (/** @type {string} */ file) => {
          if (visited.has(file)) return;
          visited.add(file);
          if (!own.has(file) && !assigned.has(file)) assigned.set(file, name);
          getModuleInfo(file)?.importedIds.forEach(visit);
        };
        listed.map(fileOf).forEach(visit);
      }
    }
    return names.get(id);
  };
}

/**
 * Bundles modules, and writes the files below a folder. Fails at a warning, such as one about files that import each other.
 *
 * @param {Record<string, string>} input
 * @param {readonly Plugin[]} plugins
 * @param {OutputOptions} options
 * @param {string} folder
 * @param {readonly string[]} [inlined] Packages that become a part of the bundle, which then is that of a program.
 * @returns {Promise<(name: string) => string[]>} What a module of `input` exports.
 */
async function bundle(input, plugins, options, folder, inlined = []) {
  const result = await rollup({
    input,
    plugins: [withSourceMaps(), ...plugins, withShortNames(inlined.length === 0), withUnprintedThrows()],
    external: (id) => !inlined.includes(id) && !id.startsWith('.') && !path.isAbsolute(id),
    // Other entries may import more from an entry than it exports.
    preserveEntrySignatures: 'allow-extension',
    onwarn({ message }) {
      throw new Error(message);
    },
  });
  const { output: files } = await result.generate({ sourcemap: true, generatedCode: 'es2015', ...options });
  for (const file of files) {
    const target = path.join(folder, file.fileName);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, file.type === 'chunk' ? file.code : file.source);
  }
  return (name) => {
    const entry = files.find((file) => file.type === 'chunk' && file.isEntry && file.name === name);
    return entry?.type === 'chunk' ? entry.exports : [];
  };
}

/**
 * @param {string} modules
 * @param {string} folder
 */
async function bundleLibrary(modules, folder) {
  const input = Object.fromEntries(entries.map((name) => [name, path.join(modules, `${name}.js`)]));
  /** @type {OutputOptions} */
  const options = {
    dir: path.join(output, 'cjs'),
    format: 'cjs',
    exports: 'named',
    externalLiveBindings: false,
    // A file loads only the files whose exports it uses itself.
    hoistTransitiveImports: false,
    minifyInternalExports: true,
    chunkFileNames: 'shared/[name].js',
    manualChunks: sharedFileOf(modules),
  };
  const inner = path.join(folder, 'cjs');
  const exports = await bundle(input, [withImportMeta(modules)], options, inner);
  writeFileSync(path.join(inner, 'package.json'), '{ "type": "commonjs" }\n');
  const later = entries.filter((name) => !faces.includes(name)).map((name) => `./cjs/${name}.js`);
  /** @type {unknown} */
  const prebuilt = await import(pathToFileURL(path.join(modules, 'native', 'prebuilt.js')).href);
  const { targets, packageOf } = /** @type {typeof import('../out/types/native/prebuilt.js')} */ (prebuilt);
  for (const name of faces) {
    const texts = faceModules(name, exports(name), [...later, ...targets.map(packageOf)]);
    for (const [file, text] of Object.entries(texts)) writeFileSync(path.join(folder, file), text);
  }
}

/**
 * Writes the declarations: for each face one that has all of it, for CommonJS, and one for ES modules that refers to it. What
 * index declares is imported from there.
 *
 * @param {string} declarations
 * @param {string} folder
 */
async function bundleDeclarations(declarations, folder) {
  for (const name of faces) {
    const own = name === 'index' ? '' : `adapters/${name}/`;
    const isOther = (/** @type {string} */ file) => {
      const inside = path.relative(declarations, file);
      return !inside.startsWith(own) && inside.replace(/\..*/, '') !== name;
    };
    const result = await rollup({
      input: path.join(declarations, `${name}.d.ts`),
      plugins: [dts()],
      external: (id, importer) =>
        /^node:/.test(id) || (importer !== undefined && isOther(path.resolve(importer, '..', id))),
    });
    const paths = (/** @type {string} */ id) => (id.startsWith('node:') ? id : './index.cjs');
    const { output: files } = await result.generate({ format: 'es', paths });
    const [{ code }] = files;
    const all = (/** @type {string} */ module) => `export * as default from '${module}';\n`;
    writeFileSync(path.join(folder, `${name}.d.cts`), `${code}${all(`./${name}.cjs`)}`);
    // The same types for both kinds of modules.
    writeFileSync(path.join(folder, `${name}.d.ts`), `export * from './${name}.cjs';\n${all(`./${name}.cjs`)}`);
  }
}

/**
 * Bundles the command line program. It shares no file with the library, so that it loads less. What needs the addon is in a file
 * of its own, since the program reports an addon that is missing.
 *
 * @param {string} modules
 * @param {string} folder
 */
async function bundleProgram(modules, folder) {
  // The other side of `bench` is a program and a module of its own.
  const input = Object.fromEntries(
    ['main', 'bench-peer'].map((name) => [name, path.join(modules, 'cli', `${name}.js`)]),
  );
  const inner = path.join(folder, 'cli');
  // commander parses the command line. Its licence goes along.
  const licence = readFileSync(path.join(root, 'node_modules', 'commander', 'LICENSE'), 'utf8');
  /** @type {OutputOptions} */
  const options = {
    dir: path.join(output, 'cli'),
    format: 'es',
    chunkFileNames: '[name].js',
    banner: ({ moduleIds }) =>
      moduleIds.some((id) => id.includes('/node_modules/commander/')) ? `/*\nIncludes commander:\n\n${licence}*/` : '',
  };
  const plugins = [nodeResolve({ resolveOnly: ['commander'] }), commonjs({ include: '**/node_modules/commander/**' })];
  await bundle(input, plugins, options, inner, ['commander']);
  chmodSync(path.join(inner, 'main.js'), 0o755);
}

await main(() =>
  replaceFolder(path.join(root, 'out', 'lib'), (modules) =>
    replaceFolder(path.join(root, 'out', 'types'), (declarations) =>
      replaceFolder(output, async (folder) => {
        await compile(modules, declarations);
        writeTexts(modules);
        checkLists(modules);
        await bundleLibrary(modules, folder);
        await bundleDeclarations(declarations, folder);
        await bundleProgram(modules, folder);
      }),
    ),
  ),
);
