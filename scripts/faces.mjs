// SPDX-License-Identifier: MIT
//
// The modules that users import or require. They hold no code of the library, so all of them lead to the same classes.

/**
 * What require() loads. A bundler without the conditions that lead to `bundled` makes it a part of a bundle. The default export is
 * for TypeScript and Babel, whose CommonJS code looks for it there when the source has a default import.
 *
 * @param {string} name
 */
function commonJs(name) {
  return `'use strict';
if (typeof __filename !== 'string' || !__filename.endsWith('${name}.cjs')) {
  const message = 'node-multiprocessing cannot be a part of a bundle: name it as external, for example "ncc build -e ' +
    'node-multiprocessing", and install it where the bundle runs';
  throw Object.assign(new Error(message), { code: 'ERR_MP_NOT_SUPPORTED' });
}
const mp = require('./cjs/${name}.js');
Object.defineProperty(mp, '__esModule', { value: true });
module.exports = mp;
module.exports.default = mp;
`;
}

/**
 * A function that is never called. Tools that gather the files of a program read in it which files this package loads by paths that
 * it computes.
 *
 * @param {readonly string[]} files
 */
function filesForTracing(files) {
  return `function filesForTracing() {\n${files.map((name) => `  require.resolve('${name}');\n`).join('')}}\n`;
}

/**
 * What bundlers take in place of the package. Children and the addon are files, which cannot be a part of a bundle, and a bundle
 * with classes of its own would not know the objects of children. So the bundle loads the package when it runs.
 *
 * @param {string} load
 */
function bundled(load) {
  return `function loadPackage() {
  try {
    return ${load};
  } catch (error) {
    if (error?.code !== 'MODULE_NOT_FOUND') throw error;
    const message = 'node-multiprocessing cannot be a part of a bundle. Install it where the bundle runs, so that its ' +
      'node_modules is in the folder of the bundle or above: "npm install node-multiprocessing"';
    throw Object.assign(new Error(message, { cause: error }), { code: 'ERR_MP_NOT_SUPPORTED' });
  }
}
const mp = loadPackage();
`;
}

/**
 * @param {string} name The module that users import: index, or the last part of its name.
 * @param {readonly string[]} names What it exports.
 * @param {readonly string[]} files What it loads by computed paths: files below dist/, and packages.
 * @returns {Record<string, string>} Files in dist/.
 */
export function faceModules(name, names, files) {
  const exported = `export const { ${[...names].sort().join(', ')} } = mp;\nexport { mp as default };\n`;
  const specifier = name === 'index' ? 'node-multiprocessing' : `node-multiprocessing/${name}`;
  const own = `createRequire(typeof __filename === 'string' ? __filename : import.meta.url)('${specifier}')`;
  return {
    [`${name}.cjs`]: `${commonJs(name)}\n${filesForTracing(files)}`,
    [`${name}.js`]: `import mp from './${name}.cjs';\n${exported}`,
    [`${name}-bundled.js`]: `import { createRequire } from 'node:module';\n${bundled(own)}${exported}`,
    // webpack replaces __filename and import.meta.url by paths of the machine that builds.
    [`${name}-webpack.js`]: `${bundled(`__non_webpack_require__('${specifier}')`)}${exported}`,
  };
}
