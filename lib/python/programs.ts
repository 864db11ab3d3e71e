// SPDX-License-Identifier: MIT
import { createRequire } from 'node:module';

import type * as texts from './texts.js';

let loaded: typeof texts | undefined;

/** What Python children run. It is loaded with the first of them, as it is long. */
export function programs(): typeof texts {
  return (loaded ??= createRequire(import.meta.filename)('./texts.js') as typeof texts);
}
