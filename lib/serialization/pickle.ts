// SPDX-License-Identifier: MIT
import { NotSupported } from '../errors.js';

function refuse(): never {
  throw new NotSupported('This release reads and writes no pickles');
}

/** What an adopted connection is told by when Python sends a pickle. */
export const pickle = { serialize: refuse, deserialize: refuse };
