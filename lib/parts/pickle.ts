// SPDX-License-Identifier: MIT
import { provide } from '../parts.js';
// Connections inside of pickles.
import '../resource-sharer.js';
import { PickleSerializer } from '../serialization/pickle/serializer.js';

provide('pickle', {
  serializer: new PickleSerializer(),
  includes: (serializer) => serializer instanceof PickleSerializer,
});
