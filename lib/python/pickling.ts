// SPDX-License-Identifier: MIT
//
// The format 'pickle' of channels, in which Connections can be. It is loaded at the first use.
import { registerFormat } from '../serialization/codec.js';
import { loadCoders } from '../serialization/pickle/codec.js';
import { pickleFormat } from '../serialization/pickle/serializer.js';
import { connectionHooks } from './resource-sharer.js';

/** The format. */
export const format = pickleFormat(connectionHooks);

registerFormat('pickle', format);

// A message that has arrived must not be lost because there is no descriptor left to read a file with.
loadCoders();
