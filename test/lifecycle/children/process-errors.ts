// SPDX-License-Identifier: MIT
//
// Functions that fail, with errors of every kind.

/** A class of the user, with properties that structured clones cannot have. */
class Odd extends RangeError {
  override name = 'Odd';
  readonly code = 'ERR_ODD';
  readonly when = new Date(0);
  readonly handler = (): void => undefined;
  readonly list = [1, 'two', { three: 3n }];
  get fails(): never {
    throw new Error('a getter of the prototype');
  }
}

function withGetter(key: string): Error {
  return Object.defineProperty(new Error('readable'), key, {
    enumerable: true,
    get() {
      throw new Error(`no ${key}`);
    },
  });
}

function inCircle(): Error {
  const error = new Error('outer', { cause: new Error('inner') });
  (error.cause as Error).cause = error;
  return error;
}

const inner = (): Error => Object.assign(new TypeError('the reason'), { code: 'E_INNER', errno: -5 });

/** Makes what is thrown, by its description. */
export const thrown: Readonly<Record<string, () => unknown>> = {
  'an error': () => new Error('ordinary'),
  'an error with a cause': () => new Error('outer', { cause: new Error('middle', { cause: inner() }) }),
  'several errors': () => new AggregateError([inner(), 'a text'], 'all failed'),
  'an error with fields': () => new Odd('fields'),
  'an error that is its own cause': inCircle,
  'a stack that throws': () => withGetter('stack'),
  'a name that throws': () => withGetter('name'),
  'a message that throws': () => withGetter('message'),
  'a cause that throws': () => withGetter('cause'),
  'a field that throws': () => withGetter('code'),
  'a name that is a symbol': () => Object.assign(new Error('readable'), { name: Symbol('n') }),
  'a message that is an object': () => Object.assign(new Error('readable'), { message: { text: 'x' } }),
  'a stack that is an object': () => Object.assign(new Error('readable'), { stack: { frames: [] } }),
  'a stack that is made by the program': () => {
    Error.prepareStackTrace = (error, sites) => ({ error, sites });
    return new Error('readable');
  },
  'an error without a prototype': () => Object.setPrototypeOf(new Error('readable'), null) as unknown,
  'a proxy that refuses everything': () => {
    const refuse = (): never => {
      throw new Error('refused');
    };
    const traps = ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'];
    return new Proxy(new Error('hidden'), Object.fromEntries(traps.map((trap) => [trap, refuse])));
  },
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  'a value whose inspection throws': () => ({
    [Symbol.for('nodejs.util.inspect.custom')]() {
      throw new Error('no inspection');
    },
  }),
  'a symbol': () => Symbol('thrown'),
  'a number': () => 5,
  'a plain object': () => ({ code: 'E_PLAIN', list: [1] }),
  nothing: () => undefined,
  'an error with endless fields': () =>
    Object.assign(
      new Error('m'.repeat(1e6)),
      Object.fromEntries(Array.from({ length: 1e4 }, (_, i) => [`k${i}`, 'v'.repeat(100)])),
    ),
  'endless causes': () => {
    let error = new Error('the first');
    for (let i = 0; i < 10_000; i += 1) error = new Error(`wraps ${i}`, { cause: error });
    return error;
  },
};

export function fail(kind: string): void {
  throw thrown[kind]!();
}

export async function failAsync(kind: string): Promise<void> {
  await Promise.resolve();
  fail(kind);
}

/** Fails with a standard error output that cannot be written. */
export async function failWithoutOutput(): Promise<void> {
  const { closeSync } = await import('node:fs');
  closeSync(2);
  throw new Error('unprinted');
}
