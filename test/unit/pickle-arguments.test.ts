// SPDX-License-Identifier: MIT
//
// An argument that a reducer did not understand was ignored: the axis order of an array of numpy, the class of a matrix.
// So each known class or function says how many arguments it understands, and a pickle that has more is refused.
import { expect } from 'chai';
import { pickle } from 'node-multiprocessing';

import { known } from '#lib/serialization/pickle/known/index.js';
import { assemble, global, throws } from '../helpers/index.js';

/** Exceptions take any arguments, and keep all. */
const exceptions = [...(known.get('builtins')?.keys() ?? [])];

describe('Known classes and functions in pickles', () => {
  it('refuse arguments that they do not understand', () => {
    let callable = 0;
    for (const [module, names] of known) {
      for (const [name, { reducer }] of names) {
        if (reducer.call === undefined && reducer.redirect === undefined) continue;
        callable++;
        const isException =
          exceptions.includes(name) && /(?:Error|Exception|Warning|Exit|Interrupt|Iteration|Group)$/.test(name);
        if (isException || name === '__newobj__') {
          expect(reducer.most, name).to.equal(undefined);
          continue;
        }
        expect(reducer.most, `${module}.${name}`).to.be.a('number');
        const none = Array.from({ length: (reducer.most as number) + 1 }, () => 'NONE' as const);
        const call = assemble('PROTO', 4, global(module, name), 'MARK', ...none, 'TUPLE', 'REDUCE');
        for (const unknown of ['error', 'opaque'] as const) {
          const { message } = throws(() => pickle.loads(call, { unknown }), { code: 'ERR_MP_UNPICKLING' });
          expect(message).to.include(`${module}.${name}`);
        }
      }
    }
    expect(callable).to.be.greaterThan(80);
  });
});
