// SPDX-License-Identifier: MIT
import { provide } from '../reduction/registry.js';
// Connections inside of pickles.
import '../python/resource-sharer.js';
import { registerFormat, type RegisteredFormat } from '../serialization/codec.js';
import { PickleSerializer } from '../serialization/pickle/serializer.js';

const shared = new PickleSerializer();

const format: RegisteredFormat = {
  serializer: () => shared,
  includes: (serializer) => serializer instanceof PickleSerializer,
};

provide('pickle', format);
registerFormat('pickle', format);
