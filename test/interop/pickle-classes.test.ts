// SPDX-License-Identifier: MIT
import { deepStrictEqual } from 'node:assert';

import { expect } from 'chai';
import { pickle, tuple, type PicklingError } from 'node-multiprocessing';

import { assemble, global, newestPython, PickleMaker, pythons, throws } from '../helpers/index.js';

const { dumps, loads, register } = pickle;

class Point {
  x: number;
  y: unknown;
  constructor(x: number, y: unknown) {
    this.x = x;
    this.y = y;
  }
}

/** Registers classes for the duration of a function. */
async function registered<T extends object>(
  registration: pickle.ClassRegistration<T>,
  fn: () => unknown,
): Promise<void> {
  const takeBack = register(registration);
  try {
    await fn();
  } finally {
    takeBack();
  }
}

describe('A registered class', () => {
  it('has its properties sent as their __dict__ and back, without a call of the constructor', async () => {
    const maker = new PickleMaker(newestPython());
    await registered({ module: 'pickles', name: 'Point', class: Point }, () => {
      const point = new Point(1, [2, new Point(3, null)]);
      const pickled = dumps(point);
      maker.expectValue(pickled, 'Point(1, [2, Point(3, None)])');
      for (const protocol of [0, 1, 2, 3, 4, 5]) deepStrictEqual(loads(maker.echo(pickled, protocol)), point);
      point.y = point;
      const back = loads(maker.echo(dumps(point))) as Point;
      expect(back).to.be.instanceOf(Point);
      expect(back.y).to.equal(back);
    });
    throws(() => loads(maker.dumps('Point(1, 2)')), { code: 'ERR_MP_UNPICKLING' });
    throws(() => dumps(new Point(1, 2)), { code: 'ERR_MP_PICKLING' });
    await maker.end();
  });

  it('is rebuilt with __slots__, with arguments and with keywords', async () => {
    const maker = new PickleMaker(newestPython());
    class Slotted {
      a: unknown;
      b: unknown;
    }
    // Python pickles this for __slots__: a __dict__, of which there is none, and the slots.
    const slots = ({ a, b }: Slotted): pickle.EncodedObject => ({ state: tuple(null, { a, b }) });
    await registered({ module: 'pickles', name: 'Slotted', class: Slotted, encode: slots }, () => {
      deepStrictEqual(loads(maker.dumps('Slotted(1, [2])')), Object.assign(new Slotted(), { a: 1, b: [2] }));
      maker.expectValue(dumps(Object.assign(new Slotted(), { a: 1, b: 2 })), 'Slotted(1, 2)');
    });
    const decode = (args: unknown[]): Point => new Point(args[0] as number, args[1]);
    await registered(
      { module: 'pickles', name: 'Called', class: Point, decode, encode: ({ x, y }) => ({ args: [x, y] }) },
      () => {
        const pickled = dumps(new Point(1, 'two'));
        maker.expectValue(pickled, 'Called(1, "two")');
        deepStrictEqual(loads(maker.echo(pickled)), new Point(1, 'two'));
      },
    );
    await registered({ module: 'pickles', name: 'Pair', decode }, () => {
      deepStrictEqual(loads(maker.dumps('Pair(1, 2)')), new Point(1, 2));
    });
    const withKeywords = (args: unknown[], keywords: unknown): Point => new Point(args[0] as number, keywords);
    await registered({ module: 'pickles', name: 'Keyword', decode: withKeywords }, () => {
      deepStrictEqual(loads(maker.dumps('Keyword(1, second=2)')), new Point(1, { second: 2 }));
    });
    await maker.end();
  });

  it('with __slots__ goes back as it came, and one with another state asks for setState and encode', async () => {
    // A list of two was taken for the two parts of a state with slots, so fields were lost or merged in silence.
    class Slots {
      declare a: unknown;
    }
    for (const python of pythons()) {
      const maker = new PickleMaker(python);
      for (const [name, expression, fields] of [
        ['Slotted', 'Slotted(1, [2])', { a: 1, b: [2] }],
        ['Mixed', 'Mixed(1, None, "c")', { c: 'c', a: 1, b: null }],
      ] as const) {
        await registered({ module: 'pickles', name, class: Slots }, () => {
          for (const protocol of [2, 3, 4, 5]) {
            const object = loads(maker.dumps(expression, protocol)) as object;
            deepStrictEqual(object, Object.assign(new Slots(), fields));
            maker.expectValue(dumps(object), expression);
          }
        });
      }
      await registered({ module: 'pickles', name: 'Listed', class: Slots }, () => {
        for (const args of ['None, None', 'None, {"size": 3}', '{"a": 1}, {"b": 2}', '1, 2']) {
          throws(() => loads(maker.dumps(`Listed(${args})`)), { code: 'ERR_MP_UNPICKLING' });
        }
      });
      const setState = (object: object, state: unknown): void => {
        const [a, b] = state as unknown[];
        Object.assign(object, { a, b });
      };
      await registered({ module: 'pickles', name: 'Listed', class: Slots, setState }, () => {
        const object = loads(maker.dumps('Listed(None, {"size": 3})'));
        deepStrictEqual(object, Object.assign(new Slots(), { a: null, b: { size: 3 } }));
        // Its properties as a dict would become the names of the fields in Python.
        throws(() => dumps(object), { code: 'ERR_MP_PICKLING' });
      });
      const encode = (object: object): pickle.EncodedObject => ({ state: Object.values(object) });
      await registered({ module: 'pickles', name: 'Listed', class: Slots, setState, encode }, () => {
        const pickled = maker.dumps('Listed(None, {"size": 3})');
        maker.expectValue(dumps(loads(pickled)), 'Listed(None, {"size": 3})');
      });
      await registered({ module: 'pickles', name: 'Called', class: Slots, decode: () => new Slots() }, () => {
        throws(() => dumps(loads(maker.dumps('Called(1)'))), { code: 'ERR_MP_PICKLING' });
        expect(() => dumps(loads(maker.dumps('Called()')))).not.to.throw();
      });
      await maker.end();
    }
  });

  it('may be inside of the arguments that encode gives for it', async () => {
    // The list of arguments was referred to before it was filled: an empty set in Python, without an error.
    class Members extends Set<unknown> {}
    class Node {
      owner: unknown;
    }
    const maker = new PickleMaker(newestPython());
    const shared = new WeakMap<object, unknown[]>();
    const fresh = (set: Set<unknown>): pickle.EncodedObject => ({ args: [[...set]] });
    const same = (set: Set<unknown>): pickle.EncodedObject => {
      if (!shared.has(set)) shared.set(set, [...set]);
      return { args: [shared.get(set)] };
    };
    await registered({ module: 'pickles', name: 'Point', class: Node }, async () => {
      for (const encode of [fresh, same]) {
        await registered({ module: 'pickles', name: 'Members', class: Members, encode }, () => {
          const node = new Node();
          node.owner = new Members([node, 1]);
          for (const [value, set] of [
            [node, 'value.owner'],
            [node.owner, 'value'],
            [[node], 'value[0].owner'],
          ] as const) {
            const view = `(lambda s: (type(s), len(s), any(getattr(m, "owner", None) is s for m in s)))(${set})`;
            expect(maker.view(dumps(value), view)).to.equal("(<class 'pickles.Members'>, 2, True)");
          }
        });
      }
    });
    await maker.end();
  });

  it('may define what its state is and how it is set', async () => {
    const setState = (point: Point, state: unknown): void => {
      [point.x, point.y] = state as [number, unknown];
    };
    const encode = ({ x, y }: Point): pickle.EncodedObject => ({ state: [x, y] });
    await registered({ module: 'm', name: 'P', class: Point, setState, encode }, () => {
      deepStrictEqual(loads(dumps(new Point(1, 2))), new Point(1, 2));
      const opaque = loads(dumps({ p: new Point(1, 2) }), { unknown: 'opaque' }) as { p: unknown };
      deepStrictEqual(opaque.p, new Point(1, 2));
    });
    const both = (): pickle.EncodedObject => ({ args: [1], state: { y: 2 } });
    await registered(
      { module: 'm', name: 'P', class: Point, decode: ([x]) => new Point(x as number, 0), encode: both },
      () => {
        deepStrictEqual(loads(dumps(new Point(7, 7))), new Point(1, 2));
      },
    );
  });

  it('takes precedence over known classes; the last registration of a name counts', async () => {
    const decimal = dumps(new pickle.Decimal('1.5'));
    await registered(
      { module: 'decimal', name: 'Decimal', decode: ([text]) => new Point(Number(text), 'first') },
      async () => {
        deepStrictEqual(loads(decimal), new Point(1.5, 'first'));
        await registered({ module: 'decimal', name: 'Decimal', decode: () => new Point(0, 'second') }, () => {
          deepStrictEqual(loads(decimal), new Point(0, 'second'));
        });
        expect(() => loads(decimal)).not.to.throw();
      },
    );
    deepStrictEqual(loads(decimal), new pickle.Decimal('1.5'));
  });

  it('does not stand for classes that derive from it', async () => {
    class Derived extends Point {}
    await registered({ module: 'm', name: 'P', class: Point }, () => {
      throws(() => dumps(new Derived(1, 2)), { code: 'ERR_MP_PICKLING' });
    });
  });

  it('may derive from Map, Error and similar classes', async () => {
    class Registry extends Map<unknown, unknown> {}
    class Failure extends Error {
      readonly detail = 5;
    }
    await registered(
      {
        module: 'm',
        name: 'R',
        class: Registry,
        encode: (map) => ({ args: [[...map.keys()]] }),
        decode: ([keys]) => new Registry((keys as unknown[]).map((key) => [key, 0])),
      },
      () => {
        deepStrictEqual(loads(dumps(new Registry([[1, 0]]))), new Registry([[1, 0]]));
      },
    );
    deepStrictEqual(loads(dumps(new Registry([[1, 2]]))), new Map([[1, 2]]));
    await registered(
      {
        module: 'm',
        name: 'F',
        class: Failure,
        encode: ({ detail }) => ({ args: [detail] }),
        decode: () => new Failure('made'),
      },
      () => {
        expect(loads(dumps(new Failure('x')))).to.be.instanceOf(Failure);
      },
    );
  });

  it('gives an error with the reason if its functions throw or return nonsense', async () => {
    const reason = new Error('no');
    const fail = (): never => {
      throw reason;
    };
    const made = assemble(global('m', 'P'), 'EMPTY_TUPLE', 'NEWOBJ', 'EMPTY_DICT', 'BUILD');
    for (const options of [{ decode: fail }, { decode: () => new Point(1, 2), setState: fail }]) {
      await registered({ module: 'm', name: 'P', ...options }, () => {
        throws(() => loads(made), { code: 'ERR_MP_UNPICKLING', cause: reason });
      });
    }
    await registered({ module: 'm', name: 'P', class: Point, encode: fail }, () => {
      const error = throws(() => dumps([new Point(1, 2)]), { code: 'ERR_MP_PICKLING', cause: reason });
      expect((error as PicklingError).message).to.match(/^value\[0\]/);
    });
    for (const encoded of [null, 5, { args: 'text' }]) {
      await registered({ module: 'm', name: 'P', class: Point, encode: () => encoded as never }, () => {
        throws(() => dumps(new Point(1, 2)), { code: 'ERR_MP_PICKLING' });
      });
    }
    await registered({ module: 'm', name: 'P', decode: () => undefined as never }, () => {
      throws(() => loads(made), { code: 'ERR_MP_UNPICKLING' });
    });
    await registered({ module: 'm', name: 'P', class: Point }, () => {
      const withArgs = assemble(global('m', 'P'), 'NONE', 'TUPLE1', 'REDUCE');
      const withNumber = assemble(global('m', 'P'), 'EMPTY_TUPLE', 'NEWOBJ', 'BININT1', 5, 'BUILD');
      const withOtherKey = assemble(
        global('m', 'P'),
        'EMPTY_TUPLE',
        'NEWOBJ',
        'EMPTY_DICT',
        'NONE',
        'NONE',
        'SETITEM',
        'BUILD',
      );
      for (const bytes of [withArgs, withNumber, withOtherKey])
        throws(() => loads(bytes), { code: 'ERR_MP_UNPICKLING' });
    });
  });

  it('is refused if the registration makes no sense', () => {
    const decode = (): object => ({});
    const wrong: [object, string, string][] = [
      [{ module: 1, name: 'P', decode }, 'module', 'ERR_INVALID_ARG_TYPE'],
      [{ module: '', name: 'P', decode }, 'module', 'ERR_OUT_OF_RANGE'],
      [{ module: 'm', decode }, 'name', 'ERR_INVALID_ARG_TYPE'],
      [{ module: 'm', name: 'P', decode: 1 }, 'decode', 'ERR_INVALID_ARG_TYPE'],
      [{ module: 'm', name: 'P', decode, setState: {} }, 'setState', 'ERR_INVALID_ARG_TYPE'],
      [{ module: 'm', name: 'P', class: {} }, 'class', 'ERR_INVALID_ARG_TYPE'],
      [{ module: 'm', name: 'P' }, 'decode', 'ERR_INVALID_ARG_TYPE'],
      [{ module: 'm', name: 'P', decode, encode: decode }, 'class', 'ERR_INVALID_ARG_TYPE'],
    ];
    for (const [registration, name, code] of wrong) {
      expect(throws(() => register(registration as never), { code }).message).to.include(name);
    }
    throws(() => register(undefined as never), { code: 'ERR_INVALID_ARG_TYPE' });
    throws(() => loads(assemble(global('m', 'P'))), { code: 'ERR_MP_UNPICKLING' });
  });
});
