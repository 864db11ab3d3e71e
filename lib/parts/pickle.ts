// SPDX-License-Identifier: MIT
import { provide } from '../reduction/registry.js';
import { connectionHooks } from '../python/resource-sharer.js';
import { registerFormat } from '../serialization/codec.js';
import { pickleFormat } from '../serialization/pickle/serializer.js';

const format = pickleFormat(connectionHooks);

provide('pickle', format);
registerFormat('pickle', format);
