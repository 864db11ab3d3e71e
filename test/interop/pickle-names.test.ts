// SPDX-License-Identifier: MIT
//
// Protocols 0 to 2 have the names of Python 2, which Python 3 maps to its own. They were refused here, or written back as
// names that Python 3 does not have.
import { expect } from 'chai';
import { pickle } from 'node-multiprocessing';

import { assemble, global, PickleMaker, pythons, throws } from '../helpers/index.js';

const table =
  '__import__("json").dumps([[m, n, *t] for (m, n), t in __import__("_compat_pickle").NAME_MAPPING.items()]';
const modules = ' + [[m, "name", t, "name"] for m, t in __import__("_compat_pickle").IMPORT_MAPPING.items()])';

/** Second names of a class in Python 3. */
const ALIASES: Readonly<Record<string, string>> = { EnvironmentError: 'OSError', IOError: 'OSError' };

/** Values that protocols 0 to 2 write with names of Python 2. */
const values: readonly string[] = [
  'collections.defaultdict',
  '[int, str, list, dict, set, object, bytes, len, max]',
  '[ValueError, OSError, Exception, UnicodeDecodeError]',
  'range(1, 10, 2)',
  'functools.reduce',
  '[zip, map, filter, chr, sys.intern]',
  'strict(int, range(3), ValueError, functools.reduce)',
];

function opaque(bytes: Uint8Array): unknown {
  return pickle.loads(bytes, { unknown: 'opaque' });
}

describe('The names of Python 2 in pickles', () => {
  for (const python of pythons()) {
    it(`become those of Python ${python.version}, up to protocol 2`, async () => {
      const maker = new PickleMaker(python);
      const rows = JSON.parse(pickle.loads(maker.dumps(table + modules)) as string) as [
        string,
        string,
        string,
        string,
      ][];
      expect(rows.length).to.be.greaterThan(100);
      for (const [module, name, newModule, newName] of rows) {
        const named = global(module, name);
        for (const protocol of [undefined, 1, 2, 3, 4]) {
          const bytes = protocol === undefined ? assemble(named) : assemble('PROTO', protocol, named);
          const { module: m, name: n } = opaque(bytes) as pickle.PythonGlobal;
          const expected = (protocol ?? 0) < 3 ? [newModule, ALIASES[newName] ?? newName] : [module, name];
          expect([m, n], `${module}.${name} in protocol ${protocol}`).to.deep.equal(expected);
        }
      }
      for (const expression of values) {
        for (const protocol of [0, 1, 2, 3, 4, 5]) {
          maker.expectValue(pickle.dumps(opaque(maker.dumps(expression, protocol))), expression);
        }
      }
      await maker.end();
    });
  }

  it('are not accepted in later protocols, as in Python', () => {
    const set = ['EMPTY_LIST', 'TUPLE1', 'REDUCE'] as const;
    expect(pickle.loads(assemble('PROTO', 2, global('__builtin__', 'set'), ...set))).to.deep.equal(new Set());
    throws(() => pickle.loads(assemble('PROTO', 3, global('__builtin__', 'set'), ...set)), {
      code: 'ERR_MP_UNPICKLING',
    });
  });
});
