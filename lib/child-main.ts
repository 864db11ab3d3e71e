// SPDX-License-Identifier: MIT
//
// What Node runs in a child: `node child-main.js <descriptor of the bootstrap channel> <file of the addon> <label>`. It loads the
// program, child-program.ts, from the caches of compiled code.
import { createRequire } from 'node:module';
import { setImmediate } from 'node:timers';

import type * as childProgram from './child-program.js';
import { requireFromCache } from './process/code-cache.js';
import { useCompileCache } from './process/compile-cache.js';

const require = createRequire(import.meta.filename);

const folder = useCompileCache();
// The file that scripts/build.mjs makes of what every child needs.
const keep = folder && requireFromCache(require.resolve('./shared/child-base.js'), folder);
const { runProgram } = require('./child-program.js') as typeof childProgram;
// Imported here, since code from the cache cannot call import().
const begun = runProgram((url) => import(url));
if (keep) {
  void begun.then((called) => {
    if (called) setImmediate(keep);
  });
}
