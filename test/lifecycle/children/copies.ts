// SPDX-License-Identifier: MIT
//
// copies <case> <folder>: loads the package more than once into one process. Prints the findings as JSON.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import * as imported from 'node-multiprocessing';

const require = createRequire(import.meta.url);
const [name, folder] = process.argv.slice(2) as [string, string];

type Package = typeof imported;

/** Both copies wait at the same time, and both are served. */
async function together(first: Package, second: Package): Promise<unknown> {
  const [a, b] = first.Pipe<string>();
  const fromFirst = a.recv();
  const [c, d] = second.Pipe<string>();
  const fromSecond = c.recv();
  await d.send('second');
  await b.send('first');
  return Promise.all([fromFirst, fromSecond]);
}

const cases: Record<string, () => Promise<unknown>> = {
  /** ESM and CommonJS users get the same classes. */
  require() {
    const required = require('node-multiprocessing') as Package;
    return Promise.resolve(required.Connection === imported.Connection && required.Pipe === imported.Pipe);
  },

  /** A second installation, such as that of a dependency with another version. */
  async installed() {
    const second = (await import(pathToFileURL(join(folder, 'dist/index.js')).href)) as Package;
    if (second.Connection === imported.Connection) throw new Error('The copy is not another one');
    const results = await together(imported, second);
    const [a, b] = imported.Pipe<string>();
    // An object of one copy is of no use to the other copy.
    const refused = await second.wait([a as never]).catch((error: unknown) => (error as { code: string }).code);
    b.close();
    return { results, refused };
  },

  /** Evaluates the modules twice with one addon, as test runners and reloading servers do. */
  async reloaded() {
    process.env['NODE_MULTIPROCESSING_ADDON'] = join(folder, 'addon.node');
    const second = (await import(pathToFileURL(join(folder, 'dist/index.js')).href)) as Package;
    const third = (await import(pathToFileURL(join(folder, 'copy/index.js')).href)) as Package;
    return { results: await together(second, third) };
  },
};

process.stdout.write(`${JSON.stringify(await cases[name]?.())}\n`);
