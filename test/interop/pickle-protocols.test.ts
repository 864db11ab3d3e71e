// SPDX-License-Identifier: MIT
//
// Pickles that the tables of docs/python.md cannot show: with references, cycles and many sizes, and some that would
// run something.
import { deepStrictEqual } from 'node:assert';

import { expect } from 'chai';
import { pickle, UnpicklingError } from 'node-multiprocessing';

import { PickleMaker, pythons, type Python } from '../helpers/index.js';

const { dumps, loads } = pickle;
const protocols = [0, 1, 2, 3, 4, 5];

/** Defines a test for every Python. */
function each(title: string, fn: (maker: PickleMaker, python: Python) => void): void {
  for (const python of pythons()) {
    it(`${title} (Python ${python.version})`, async () => {
      const maker = new PickleMaker(python);
      fn(maker, python);
      await maker.end();
    });
  }
}

function references(maker: PickleMaker, protocol: number): void {
  // Written by the Pickler in C and by that in Python, and once more without unused memo numbers.
  for (const slow of [false, true]) {
    for (const optimize of [false, true]) {
      const load = (expression: string): unknown => {
        const bytes = maker.dumps(expression, protocol, slow);
        return loads(optimize ? maker.optimize(bytes) : bytes);
      };
      const list = load('cyclic_list()') as unknown[];
      expect([list.length, list[0]]).to.deep.equal([2, 1]);
      expect(list[1]).to.equal(list);
      const dict = load('cyclic_dict(a=1)') as { self: unknown; a: number };
      expect(Object.keys(dict)).to.deep.equal(['a', 'self']);
      expect(dict.self).to.equal(dict);
      const map = load('cyclic_map()') as Map<unknown, unknown>;
      expect([...map.keys()]).to.deep.equal(['first', 'self', 2]);
      expect(map.get('self')).to.equal(map);
      const tuple = load('cyclic_tuple()') as [unknown[]];
      expect(tuple[0][0]).to.equal(tuple);
      const shared = load('shared()') as [unknown, unknown, [unknown]];
      expect(shared[0]).to.equal(shared[1]).and.to.equal(shared[2][0]);
      deepStrictEqual(
        load('[{i: str(i), str(i): i} for i in range(3)]'),
        [0, 1, 2].map(
          (i) =>
            new Map<unknown, unknown>([
              [i, `${i}`],
              [`${i}`, i],
            ]),
        ),
      );
    }
  }
}

describe('Pickles of every protocol', () => {
  each('keep references to earlier objects', (maker) => {
    for (const protocol of protocols) references(maker, protocol);
  });

  each('may have any size, in one frame or several', (maker) => {
    for (const protocol of protocols) {
      const load = (expression: string): unknown => loads(maker.dumps(expression, protocol));
      deepStrictEqual(
        load('list(range(2500))'),
        Array.from({ length: 2500 }, (_, i) => i),
      );
      deepStrictEqual(load('{i: i for i in range(2500)}'), new Map(Array.from({ length: 2500 }, (_, i) => [i, i])));
      deepStrictEqual(
        load('{str(i): i for i in range(2500)}'),
        Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`${i}`, i])),
      );
      deepStrictEqual(load('set(range(2500))'), new Set(Array.from({ length: 2500 }, (_, i) => i)));
      deepStrictEqual(load('[b"x" * 70000, "y" * 70000, bytearray(70000), [1] * 3]'), [
        ...[Buffer.alloc(70_000, 'x'), 'y'.repeat(70_000), Buffer.alloc(70_000), [1, 1, 1]],
      ]);
      deepStrictEqual(
        load('["%d" % i for i in range(30000)]'),
        Array.from({ length: 30_000 }, (_, i) => `${i}`),
      );
      let deep: unknown = [];
      for (let i = 0; i < 100; i++) deep = [deep];
      deepStrictEqual(load('nested(100)'), deep);
    }
    deepStrictEqual(loads(maker.dumps('1 << 100000')), 1n << 100_000n);
    throwsUnpickling(() => loads(maker.dumps('1 << (8 << 20)')), /limit/);
  });

  each('do not run what they would run in Python', (maker) => {
    const evil = (fn: string): string => `type("Evil", (), {"__reduce__": lambda self: (${fn})})()`;
    const system = evil('__import__("os").system, ("echo harm",)');
    for (const protocol of protocols) {
      throwsUnpickling(() => loads(maker.dumps(system, protocol)), /(posix|nt|os)\.system/);
      throwsUnpickling(() => loads(maker.dumps(`[1, {"a": (2, ${system})}]`, protocol)), /(posix|nt|os)\.system/);
      throwsUnpickling(() => loads(maker.dumps(evil('eval, ("1",)'), protocol)), /(builtins|__builtin__)\.eval/);
      throwsUnpickling(() => loads(maker.dumps(evil('getattr, ("text", "upper")'), protocol)), /attribute/);
      throwsUnpickling(() => loads(maker.dumps('len', protocol)), /\.len/);
    }
  });

  each('are read by Python', (maker) => {
    const rows = Array.from({ length: 3000 }, (_, i) => ({ id: i, tags: [`a${i % 7}`, 'b'], x: i + 0.5 }));
    maker.expectValue(dumps(rows), '[{"id": i, "tags": ["a%d" % (i % 7), "b"], "x": i + 0.5} for i in range(3000)]');
    const wide = new Map(Array.from({ length: 3000 }, (_, i) => [i, new Set([i])]));
    maker.expectValue(dumps(wide), '{i: {i} for i in range(3000)}');
    maker.expectValue(dumps(new Set(Array.from({ length: 3000 }, (_, i) => i))), 'set(range(3000))');
    maker.expectValue(dumps('x'.repeat(300_000)), '"x" * 300000');
    maker.expectValue(dumps([Buffer.alloc(300_000, 'x'), 1n << 100_000n]), '[b"x" * 300000, 1 << 100000]');
    const object: Record<string, unknown> = { a: 1 };
    object['self'] = object;
    const back = loads(maker.echo(dumps(object))) as typeof object;
    expect(back['self']).to.equal(back);
  });
});

function throwsUnpickling(fn: () => unknown, message: RegExp): void {
  expect(fn).to.throw(UnpicklingError).with.property('message').that.matches(message);
}
