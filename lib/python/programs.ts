// SPDX-License-Identifier: MIT
import { requireLater } from '../reduction/load-later.js';
import type * as texts from './texts.js';

let loaded: typeof texts | undefined;

/** What Python children run. It is loaded with the first of them, as it is long. */
export function programs(): typeof texts {
  return (loaded ??= requireLater(import.meta.filename, './texts.js') as typeof texts);
}
