// SPDX-License-Identifier: MIT
//
// The format 'pickle' of channels. Loaded at the first use by a child, and by the package's index.
import { registerFormat } from '../serialization/codec.js';
// Connections inside of pickles.
import './resource-sharer.js';
import { PickleSerializer } from '../serialization/pickle/serializer.js';

/** The serializer of channels that name the format. */
export const serializer = new PickleSerializer();

registerFormat('pickle', { serializer: () => serializer, includes: (object) => object instanceof PickleSerializer });
