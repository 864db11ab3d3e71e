// SPDX-License-Identifier: MIT
import { provide } from '../reduction/registry.js';
// Connections inside of pickles.
import '../python/resource-sharer.js';
import { PickleSerializer } from '../serialization/pickle/serializer.js';

provide('pickle', {
  serializer: new PickleSerializer(),
  includes: (serializer) => serializer instanceof PickleSerializer,
});
