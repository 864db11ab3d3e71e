// SPDX-License-Identifier: MIT
//
// Dicts of pickles: plain objects if all keys are strings, Maps otherwise, also where a dict contains itself.
import { deepStrictEqual } from 'node:assert';

import { expect } from 'chai';
import { pickle } from 'node-multiprocessing';

import { decodePickle } from '#lib/serialization/pickle/codec.js';
import { reducerTable } from '#lib/serialization/pickle/hooks.js';
import { assemble, global, little, throws } from '../helpers/index.js';

const { dumps, loads } = pickle;

/** A key: `a` or another str. */
const text = (characters: string): Buffer =>
  Buffer.concat([Buffer.of(0x8c, characters.length), Buffer.from(characters)]);

describe('Dicts in pickles', () => {
  it('are plain objects with own properties of any name', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', '0', 'valueOf'];
    const items = names.flatMap((name) => [text(name), 'NONE' as const]);
    for (const bytes of [
      assemble('EMPTY_DICT', 'MARK', ...items, 'SETITEMS'),
      assemble('MARK', ...items, 'DICT'),
      assemble('EMPTY_DICT', ...names.flatMap((name) => [text(name), 'NONE' as const, 'SETITEM' as const])),
    ]) {
      const value = loads(bytes) as object;
      expect(Object.getPrototypeOf(value)).to.equal(Object.prototype);
      expect(Object.keys(value)).to.have.members(names);
      for (const name of names) {
        deepStrictEqual(Object.getOwnPropertyDescriptor(value, name), {
          value: null,
          writable: true,
          enumerable: true,
          configurable: true,
        });
      }
      deepStrictEqual(loads(dumps(value)), value);
    }
    expect(({} as { polluted?: unknown }).polluted).to.equal(undefined);
  });

  it('are Maps if a key is no str, at any place', () => {
    const map = (entries: [unknown, unknown][]): Map<unknown, unknown> => new Map(entries);
    deepStrictEqual(
      loads(assemble('EMPTY_DICT', 'MARK', text('a'), 'NONE', 'NONE', 'NONE', 'SETITEMS')),
      map([
        ['a', null],
        [null, null],
      ]),
    );
    deepStrictEqual(
      loads(assemble('EMPTY_DICT', 'MEMOIZE', text('a'), 'NEWTRUE', 'SETITEM', 'NONE', 'NEWFALSE', 'SETITEM')),
      map([
        ['a', true],
        [null, false],
      ]),
    );
    // Stored under a large number, and referred to later.
    const both = loads(
      assemble(
        'EMPTY_DICT',
        'LONG_BINPUT',
        little(1e9, 4),
        'NONE',
        'NEWTRUE',
        'SETITEM',
        'LONG_BINGET',
        little(1e9, 4),
        'TUPLE2',
      ),
    ) as unknown[];
    deepStrictEqual(both[0], map([[null, true]]));
    expect(both[1]).to.equal(both[0]);
  });

  it('may contain themselves before all of their keys are known', () => {
    // {'self': <itself>, 1: 2}, a dict with it inside and after it, and a dict with only strings as keys.
    const inner = [
      ...([
        'EMPTY_DICT',
        'MEMOIZE',
        'MARK',
        text('self'),
        'BINGET',
        1,
        'BININT1',
        1,
        'BININT1',
        2,
        'SETITEMS',
      ] as const),
    ];
    const bytes = assemble(
      'EMPTY_LIST',
      'MEMOIZE',
      'MARK',
      ...inner,
      'EMPTY_DICT',
      text('a'),
      'BINGET',
      1,
      'SETITEM',
      'BINGET',
      1,
      'APPENDS',
    );
    const [first, second, third] = loads(bytes) as [Map<unknown, unknown>, { a: unknown }, unknown];
    expect([...first.keys()]).to.deep.equal(['self', 1]);
    expect(first.get('self')).to.equal(first);
    expect(Object.keys(second)).to.deep.equal(['a']);
    expect(second.a).to.equal(first);
    expect(third).to.equal(first);
    // The reference to the outer dict comes from within an inner dict, which later gets another key as well.
    const nested = assemble(
      ...([
        'EMPTY_DICT',
        'MEMOIZE',
        'MARK',
        text('in'),
        'EMPTY_DICT',
        'MEMOIZE',
        'MARK',
        text('out'),
        'BINGET',
        0,
      ] as const),
      ...([text('in'), 'BINGET', 1, 'NONE', 'NONE', 'SETITEMS', 'NEWTRUE', 'NONE', 'SETITEMS'] as const),
    );
    const outer = loads(nested) as Map<unknown, Map<unknown, unknown>>;
    expect(outer.get('in')?.get('out')).to.equal(outer);
    expect(outer.get('in')?.get('in')).to.equal(outer.get('in'));
    expect([outer.size, outer.get('in')?.size]).to.deep.equal([2, 3]);
    const plain = loads(assemble('EMPTY_DICT', 'MEMOIZE', 'MARK', text('self'), 'BINGET', 0, 'SETITEMS')) as {
      self: unknown;
    };
    expect(plain.self).to.equal(plain);
    // By DUP, and in a defaultdict.
    const twice = loads(assemble('EMPTY_DICT', 'DUP', 'NONE', 'NEWTRUE', 'SETITEM', 'TUPLE2')) as unknown[];
    expect(twice[0])
      .to.equal(twice[1])
      .and.to.deep.equal(new Map([[null, true]]));
    const defaults = assemble(
      global('collections', 'defaultdict'),
      'EMPTY_TUPLE',
      'REDUCE',
      'MEMOIZE',
      'MARK',
      text('s'),
      'BINGET',
      0,
      'NONE',
      'NONE',
      'SETITEMS',
    );
    const defaultdict = loads(defaults) as Map<unknown, unknown>;
    expect(defaultdict.get('s')).to.equal(defaultdict);
  });

  it('cannot become Maps once they were used', () => {
    const used = assemble(
      'EMPTY_DICT',
      'MEMOIZE',
      'EMPTY_LIST',
      'BINGET',
      0,
      'APPEND',
      'POP',
      'TUPLE1',
      'BINGET',
      0,
      'NONE',
      'NONE',
      'SETITEM',
    );
    // Looking through the pickle finds the key in time, as long as the dict was still on the stack.
    expect(() => loads(used)).not.to.throw();
    const late = assemble('EMPTY_DICT', 'MEMOIZE', 'TUPLE1', 'BINGET', 0, 'NONE', 'NONE', 'SETITEM', 'TUPLE2');
    throws(() => loads(late), { code: 'ERR_MP_UNPICKLING' });
    const twoNumbers = assemble('EMPTY_DICT', 'BINPUT', 0, 'BINPUT', 1, 'NONE', 'NONE', 'SETITEM');
    throws(() => loads(twoNumbers), { code: 'ERR_MP_UNPICKLING' });
  });

  it('are looked through once, and nothing is called meanwhile', () => {
    const calls: unknown[] = [];
    const reducers = reducerTable({
      m: {
        make: {
          call: (args) => {
            calls.push(args);
            return [...args];
          },
          build: (object, state) => {
            (object as unknown[]).push(state);
          },
        },
      },
    });
    const made = [global('m', 'make'), 'BININT1', 7, 'TUPLE1', 'REDUCE', 'NONE', 'BUILD'] as const;
    const bytes = assemble(
      'EMPTY_DICT',
      'MEMOIZE',
      'MARK',
      text('made'),
      ...made,
      text('self'),
      'BINGET',
      0,
      'BININT1',
      1,
      ...made,
      'SETITEMS',
    );
    const value = decodePickle(bytes, false, { reducers }) as Map<unknown, unknown>;
    expect(value.get('made')).to.deep.equal([7, null]);
    expect(value.get(1)).to.deep.equal([7, null]);
    expect(calls).to.deep.equal([[7], [7]]);
  });
});
