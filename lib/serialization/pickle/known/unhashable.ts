// SPDX-License-Identifier: MIT
import type { PythonGlobal } from '../nodes.js';

/** The known classes whose objects Python accepts neither as keys of a dict nor as members of a set. */
const CLASSES: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['array', new Set(['array', '_array_reconstructor'])],
  ['builtins', new Set(['bytearray', 'dict', 'list', 'set'])],
  ['collections', new Set(['Counter', 'OrderedDict', 'UserDict', 'UserList', 'defaultdict', 'deque'])],
  ['numpy', new Set(['ndarray'])],
]);

/** Whether objects that this class or function makes cannot be keys. */
export function isUnhashable({ module, name }: PythonGlobal): boolean {
  return CLASSES.get(module)?.has(name) === true;
}
