// SPDX-License-Identifier: MIT
//
// Loads the package as a runner of tests such as Jest does, in a realm of its own and with a registry of modules of its own, empties
// the registry, and goes on to use what it has. Prints "ok".
const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const vm = require('node:vm');

// A realm has its own classes of JavaScript, and gets those of Node.
const context = vm.createContext({});
const own = new Set(vm.runInContext('Object.getOwnPropertyNames(globalThis)', context));
for (const name of Object.getOwnPropertyNames(globalThis))
  if (!own.has(name)) context[name] = Reflect.get(globalThis, name);
/** @type {Map<string, { exports: any }>} */
let registry = new Map();

/** @param {string} file */
function requireFrom(file) {
  const native = Module.createRequire(file);
  return Object.assign(
    (/** @type {string} */ id) => {
      if (id === 'node:module') return Object.assign({}, Module, { createRequire: requireFrom });
      if (Module.isBuiltin(id)) return native(id);
      const found = native.resolve(id);
      return found.endsWith('.node') ? native(found) : load(found);
    },
    { resolve: native.resolve, cache: {} },
  );
}

/**
 * @param {string} file
 * @returns {any}
 */
function load(file) {
  const known = registry.get(file);
  if (known !== undefined) return known.exports;
  const module = { exports: {} };
  registry.set(file, module);
  const run = vm.runInContext(Module.wrap(readFileSync(file, 'utf8')), context, { filename: file });
  run(module.exports, requireFrom(file), module, file, path.dirname(file));
  return module.exports;
}

const mp = requireFrom(__filename)('node-multiprocessing');
registry = new Map();

const lock = new mp.Lock();
const again = mp.attach(mp.describe(lock));
assert(again instanceof mp.Lock);
const queue = new mp.Queue();
const same = mp.attach(mp.describe(queue));
assert(same instanceof mp.Queue);
const [reader, writer] = mp.Pipe(false, { serialization: 'pickle' });
writer.sendSync(mp.tuple(1, 2));
assert.deepEqual([...reader.recvSync()], [1, 2]);
assert.deepEqual([...mp.pickle.loads(mp.pickle.dumps(mp.tuple(1, 2)))], [1, 2]);
for (const object of [lock, again, queue, same, reader, writer]) object.close();
console.log('ok');
