// SPDX-License-Identifier: MIT
//
// Every argument of locks, conditions, events and semaphores: a bad value is refused with a TypeError or RangeError
// that names the argument, before anything happens.
import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import {
  badOptions,
  closingAfterEach,
  locks,
  neverThrowing,
  RANGE,
  semaphores,
  shareable,
  TYPE,
  type AnyClass,
} from '../helpers/arguments.js';
import { modes, refuses, throws, type Mode } from '../helpers/index.js';

type Method = (...args: unknown[]) => unknown;

const NAME = `/nmp-test-arguments-${process.pid}`;

const badBlock: [unknown, string, string][] = [1, 0, 'no', null, {}].map((block) => [{ block }, 'block', TYPE]);
/** A timeout, or options. */
const badLimits: [unknown, string, string][] = [
  ...badOptions.filter(([, name]) => name !== 'options'),
  [NaN, 'timeout', RANGE],
  ['5', 'timeout', TYPE],
  [true, 'timeout', TYPE],
  [5n, 'timeout', TYPE],
];
const badCounts: [unknown, string][] = [
  [-1, RANGE],
  [1.5, RANGE],
  [NaN, RANGE],
  [Infinity, RANGE],
  ['1', TYPE],
  [null, TYPE],
  [1n, TYPE],
  [{}, TYPE],
];
const badValues: [unknown, string][] = [...badCounts, [2 ** 31, RANGE]];
const badNames: [unknown, string][] = [
  ['', RANGE],
  ['/', RANGE],
  ['plain', RANGE],
  ['/with/slash', RANGE],
  ['//', RANGE],
  ['/with\0zero', RANGE],
  [`/${'a'.repeat(251)}`, RANGE],
  [undefined, TYPE],
  [null, TYPE],
  [5, TYPE],
  [{}, TYPE],
];

/**
 * A call of one method with one bad argument: the method, its arguments, the name in the error's message, the error's
 * code.
 */
type Case = [string, unknown[], string, string];

const notFunctions = [undefined, null, 5, 'text', {}];
const acquireCases = [...badOptions, ...badBlock].map(([options, name, code]): Case => [
  'acquire',
  [options],
  name,
  code,
]);
const scopeCases = [
  ...badOptions.map(([options, name, code]): Case => ['withLock', [() => undefined, options], name, code]),
  ...badOptions.map(([options, name, code]): Case => ['guard', [options], name, code]),
];
const conditionCases = [
  ...badLimits.map(([limits, name, code]): Case => ['wait', [limits], name, code]),
  ...badLimits.map(([limits, name, code]): Case => ['waitFor', [() => true, limits], name, code]),
  ...notFunctions.map((predicate): Case => ['waitFor', [predicate], 'predicate', TYPE]),
  ...badCounts.map(([n, code]): Case => ['notify', [n], 'n ', code]),
];
const withoutTwin = new Set(['withLock', 'guard']);

function casesOf(what: string): Case[] {
  if (what === 'Event') return badLimits.map(([limits, name, code]) => ['wait', [limits], name, code]);
  return [...acquireCases, ...scopeCases, ...(what === 'Condition' ? conditionCases : [])];
}

describe('Arguments of locks', () => {
  const opened = closingAfterEach();

  async function refusesAll(object: object, mode: Mode, cases: readonly Case[]): Promise<void> {
    const methods = object as Record<string, Method>;
    for (const [name, args, argument, code] of cases) {
      const call = (): unknown => methods[mode === 'sync' ? `${name}Sync` : name]!.apply(object, args);
      await refuses(mode === 'async' ? neverThrowing(call) : call, argument, code);
    }
  }

  for (const [what, Class] of Object.entries(shareable)) {
    for (const mode of modes) {
      const all = casesOf(what).filter(([method]) => mode === 'async' || !withoutTwin.has(method));
      for (const method of new Set(all.map(([name]) => name))) {
        const cases = all.filter(([name]) => name === method);
        it(`make ${method} of ${what} refuse ${cases.length} bad calls, without an effect (${mode})`, async () => {
          const object = opened(new Class());
          await refusesAll(object, mode, cases);
          if (object instanceof mp.SemLock) expect(object.value).to.equal(1);
          if (object instanceof mp.Condition) {
            // The condition is free, and no call waits.
            expect(await object.acquire({ block: false })).to.equal(true);
            await object.notifyAll();
            object.release();
          }
          if (object instanceof mp.Event) expect(await object.isSet()).to.equal(false);
        });
      }
    }
  }

  for (const [what, Class] of Object.entries(shareable)) {
    if (what === 'Event') continue;
    it(`make withLock of ${what} refuse a value that is no function, before it acquires`, async () => {
      const object = opened(new Class()) as mp.Lock;
      await refusesAll(
        object,
        'async',
        notFunctions.map((fn): Case => ['withLock', [fn], 'fn', TYPE]),
      );
      // With all values taken, a call that acquires would wait.
      expect(await object.acquire()).to.equal(true);
      await refuses(() => object.withLock(undefined as never, { timeout: 0 }), 'fn', TYPE);
      object.release();
    });
  }

  it('are checked before the state of the object', async () => {
    const condition = opened(new mp.Condition());
    // The condition is not acquired.
    for (const mode of modes) await refusesAll(condition, mode, conditionCases);
    const lock = opened(new mp.Lock());
    lock.close();
    for (const mode of modes) await refusesAll(lock, mode, acquireCases);
  });

  for (const [what, Class] of Object.entries(semaphores)) {
    it(`make ${what} refuse values that no semaphore has`, async () => {
      for (const [value, code] of badValues) await refuses(() => opened(new Class(value as never)), 'value', code);
      for (const value of [undefined, 0, 1, mp.SEM_VALUE_MAX]) opened(new Class(value as never));
    });
  }

  it('may be 0 for a BoundedSemaphore, which cannot be released then', () => {
    const semaphore = opened(new mp.BoundedSemaphore(0));
    throws(() => semaphore.release(), { code: 'ERR_MP_RELEASED_TOO_OFTEN' });
    expect(semaphore.value).to.equal(0);
  });

  it('make Condition refuse a value that is no Lock or RLock', async () => {
    const Condition = mp.Condition as unknown as AnyClass;
    const others = [opened(new mp.Semaphore()), opened(new mp.BoundedSemaphore()), opened(new mp.Event())];
    for (const value of [null, 5, 'lock', {}, [], ...others]) {
      await refuses(() => opened(new Condition(value as never)), 'lock', TYPE);
    }
  });

  for (const [what, Class] of Object.entries(locks)) {
    it(`make recover of ${what} refuse bad options`, async () => {
      const lock = opened(new Class()) as mp.Lock;
      for (const options of [null, 5, 'force']) await refuses(() => lock.recover(options as never), 'options', TYPE);
      for (const force of [1, 0, 'yes', null, {}]) {
        await refuses(() => lock.recover({ force: force as never }), 'force', TYPE);
      }
      expect(lock.recover()).to.equal(false);
    });
  }

  describe('NamedSemaphore', () => {
    afterEach(() => {
      try {
        mp.NamedSemaphore.unlink(NAME);
      } catch (error) {
        expect(error).to.have.property('code', 'ENOENT');
      }
    });

    it('refuses bad names in create, open and unlink', async () => {
      const { NamedSemaphore } = mp as unknown as { NamedSemaphore: Record<string, Method> };
      for (const method of ['create', 'open', 'unlink']) {
        for (const [name, code] of badNames) {
          await refuses(() => NamedSemaphore[method]!.call(NamedSemaphore, name), 'name', code);
        }
      }
    });

    it('refuses bad values in create, and makes nothing', async () => {
      for (const [value, code] of badValues) {
        await refuses(() => mp.NamedSemaphore.create(NAME, value as never), 'value', code);
      }
      throws(() => mp.NamedSemaphore.open(NAME), { code: 'ENOENT' });
    });

    it('is made only by create and open', () => {
      const NamedSemaphore = mp.NamedSemaphore as unknown as AnyClass;
      for (const args of [[], [NAME], [undefined, undefined, NAME]])
        throws(() => new NamedSemaphore(...(args as never[])), { code: TYPE });
    });

    for (const mode of modes) {
      it(`refuses bad options in wait, without an effect (${mode})`, async () => {
        const semaphore = opened(mp.NamedSemaphore.create(NAME, 1));
        const cases = badOptions.map(([options, name, code]): Case => ['wait', [options], name, code]);
        await refusesAll(semaphore, mode, cases);
        expect(semaphore.value).to.equal(1);
      });
    }
  });
});
