// SPDX-License-Identifier: MIT
//
// Every argument of locks, conditions, events and semaphores: refused with a TypeError or RangeError that names it, before
// anything happens.
import { expect } from 'chai';
import * as mp from 'node-multiprocessing';
import { Packr } from 'msgpackr';

import { makePair, modes, refuses, rejects, throws, via, type Mode } from '../helpers/index.js';

type Method = (...args: unknown[]) => unknown;
type AnyClass = new (...args: never[]) => { close(): void };

const TYPE = 'ERR_INVALID_ARG_TYPE';
const RANGE = 'ERR_OUT_OF_RANGE';
const NAME = `/nmp-test-arguments-${process.pid}`;

/** Options of everything that waits, with the name that the error must hold and its code. */
const badOptions: [unknown, string, string][] = [
  [null, 'options', TYPE],
  [5, 'options', TYPE],
  ['5', 'options', TYPE],
  [true, 'options', TYPE],
  [{ timeout: NaN }, 'timeout', RANGE],
  [{ timeout: '5' }, 'timeout', TYPE],
  [{ timeout: {} }, 'timeout', TYPE],
  [{ timeout: 5n }, 'timeout', TYPE],
  [{ signal: {} }, 'signal', TYPE],
  [{ signal: null }, 'signal', TYPE],
];
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

const locks: Record<string, AnyClass> = { Lock: mp.Lock, RLock: mp.RLock };
const semaphores: Record<string, AnyClass> = { Semaphore: mp.Semaphore, BoundedSemaphore: mp.BoundedSemaphore };
const shareable: Record<string, AnyClass> = { ...locks, ...semaphores, Condition: mp.Condition, Event: mp.Event };

/** Calls of one method with one bad argument each: the method, arguments, the name the error must hold, its code. */
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

/** An asynchronous method rejects: what it throws instead is made a failure of another kind. */
function neverThrowing(call: () => unknown): () => unknown {
  return () => {
    try {
      return call();
    } catch (error) {
      throw new Error('An asynchronous method has thrown', { cause: error });
    }
  };
}

describe('arguments of locks', () => {
  const open: { close(): void }[] = [];

  function opened<T extends { close(): void }>(object: T): T {
    open.push(object);
    return object;
  }

  afterEach(() => {
    for (const object of open.splice(0)) object.close();
  });

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
        it(`${mode}: ${method} of ${what} refuses ${cases.length} bad calls, and nothing happens`, async () => {
          const object = opened(new Class());
          await refusesAll(object, mode, cases);
          if (object instanceof mp.SemLock) expect(object.value).to.equal(1);
          if (object instanceof mp.Condition) {
            // It is free, and nobody waits.
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
    it(`async: withLock of ${what} refuses what is no function, before it acquires`, async () => {
      const object = opened(new Class()) as mp.Lock;
      await refusesAll(
        object,
        'async',
        notFunctions.map((fn): Case => ['withLock', [fn], 'fn', TYPE]),
      );
      // With all values taken it would wait.
      expect(await object.acquire()).to.equal(true);
      await refuses(() => object.withLock(undefined as never, { timeout: 0 }), 'fn', TYPE);
      object.release();
    });
  }

  it('arguments come before what the state of the object says', async () => {
    const condition = opened(new mp.Condition());
    // Not acquired.
    for (const mode of modes) await refusesAll(condition, mode, conditionCases);
    const lock = opened(new mp.Lock());
    lock.close();
    for (const mode of modes) await refusesAll(lock, mode, acquireCases);
  });

  for (const [what, Class] of Object.entries(semaphores)) {
    it(`${what} refuses values that no semaphore has`, async () => {
      for (const [value, code] of badValues) await refuses(() => opened(new Class(value as never)), 'value', code);
      for (const value of [undefined, 0, 1, mp.SEM_VALUE_MAX]) opened(new Class(value as never));
    });
  }

  it('BoundedSemaphore(0) is never to be released', () => {
    const semaphore = opened(new mp.BoundedSemaphore(0));
    throws(() => semaphore.release(), { code: 'ERR_MP_RELEASED_TOO_OFTEN' });
    expect(semaphore.value).to.equal(0);
  });

  it('Condition refuses what is no Lock or RLock', async () => {
    const Condition = mp.Condition as unknown as AnyClass;
    const others = [opened(new mp.Semaphore()), opened(new mp.BoundedSemaphore()), opened(new mp.Event())];
    for (const value of [null, 5, 'lock', {}, [], ...others]) {
      await refuses(() => opened(new Condition(value as never)), 'lock', TYPE);
    }
  });

  for (const [what, Class] of Object.entries(locks)) {
    it(`recover of ${what} refuses bad options`, async () => {
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

    it('create, open and unlink refuse what is no name', async () => {
      const { NamedSemaphore } = mp as unknown as { NamedSemaphore: Record<string, Method> };
      for (const method of ['create', 'open', 'unlink']) {
        for (const [name, code] of badNames) {
          await refuses(() => NamedSemaphore[method]!.call(NamedSemaphore, name), 'name', code);
        }
      }
    });

    it('create refuses bad values and makes nothing', async () => {
      for (const [value, code] of badValues) {
        await refuses(() => mp.NamedSemaphore.create(NAME, value as never), 'value', code);
      }
      throws(() => mp.NamedSemaphore.open(NAME), { code: 'ENOENT' });
    });

    it('is made by create and open alone', () => {
      const NamedSemaphore = mp.NamedSemaphore as unknown as AnyClass;
      for (const args of [[], [NAME], [undefined, undefined, NAME]])
        throws(() => new NamedSemaphore(...(args as never[])), { code: TYPE });
    });

    for (const mode of modes) {
      it(`${mode}: wait refuses bad options, and nothing happens`, async () => {
        const semaphore = opened(mp.NamedSemaphore.create(NAME, 1));
        const cases = badOptions.map(([options, name, code]): Case => ['wait', [options], name, code]);
        await refusesAll(semaphore, mode, cases);
        expect(semaphore.value).to.equal(1);
      });
    }
  });

  describe('describe', () => {
    it('refuses what cannot be described', async () => {
      const lock = opened(new mp.Lock());
      const guard = await lock.guard();
      for (const value of [undefined, null, 5, 'Lock', {}, mp.Lock, guard, { type: 'Lock' }]) {
        await refuses(() => mp.describe(value as never), 'object', TYPE);
      }
      guard.release();
    });

    it('refuses bad options, for every class', async () => {
      for (const Class of Object.values(shareable)) {
        const object = opened(new Class()) as mp.Lock;
        for (const options of [null, 5, 'nodeOnly', true]) {
          await refuses(() => mp.describe(object, options as never), 'options', TYPE);
        }
        for (const nodeOnly of [1, 0, 'yes', null]) {
          await refuses(() => mp.describe(object, { nodeOnly: nodeOnly as never }), 'nodeOnly', TYPE);
        }
      }
    });

    it('refuses what is closed', () => {
      for (const Class of Object.values(shareable)) {
        const object = new Class() as mp.Lock;
        object.close();
        throws(() => mp.describe(object), { code: 'ERR_MP_CLOSED' });
      }
    });
  });

  describe('attach', () => {
    const semaphore = { name: '/mp-nobody-has-this' };
    const cases: [unknown, string, string][] = [
      ...[undefined, null, 5, 'Lock', true].map((value): [unknown, string, string] => [value, 'descriptor', TYPE]),
      [{ semaphore }, 'descriptor.type', TYPE],
      [{ type: 'Mutex', semaphore }, 'descriptor.type', TYPE],
      [{ type: 5, semaphore }, 'descriptor.type', TYPE],
      [{ type: 'NamedSemaphore', semaphore }, 'descriptor.type', TYPE],
      ...['Lock', 'RLock', 'Semaphore', 'BoundedSemaphore'].flatMap((type): [unknown, string, string][] => [
        [{ type }, 'descriptor.semaphore', TYPE],
        [{ type, semaphore: null }, 'descriptor.semaphore', TYPE],
        [{ type, semaphore: '/name' }, 'descriptor.semaphore', TYPE],
        [{ type, semaphore: {} }, 'descriptor.semaphore.name', TYPE],
        [{ type, semaphore: { name: 5 } }, 'descriptor.semaphore.name', TYPE],
        [{ type, semaphore: { name: '/x', family: 5 } }, 'descriptor.semaphore.family', TYPE],
        [{ type, semaphore: { name: '/x', family: null } }, 'descriptor.semaphore.family', TYPE],
        [{ type, semaphore: { name: '/x', family: 'abc' } }, 'descriptor.semaphore.number', TYPE],
        [{ type, semaphore: { name: '/x', family: 'abc', number: '1' } }, 'descriptor.semaphore.number', TYPE],
        [{ type, semaphore: { name: '/x', family: 'abc', number: 0 } }, 'descriptor.semaphore.number', RANGE],
        [{ type, semaphore: { name: '/x', family: 'abc', number: 1.5 } }, 'descriptor.semaphore.number', RANGE],
        [{ type, semaphore: { name: '/x', family: 'abc', number: 2 ** 32 } }, 'descriptor.semaphore.number', RANGE],
      ]),
      [{ type: 'BoundedSemaphore', semaphore }, 'descriptor.bound', TYPE],
      [{ type: 'BoundedSemaphore', semaphore, bound: '1' }, 'descriptor.bound', TYPE],
      [{ type: 'BoundedSemaphore', semaphore, bound: -1 }, 'descriptor.bound', RANGE],
      [{ type: 'BoundedSemaphore', semaphore, bound: 1.5 }, 'descriptor.bound', RANGE],
      [{ type: 'Condition' }, 'descriptor.lock', TYPE],
      [{ type: 'Condition', lock: null }, 'descriptor.lock', TYPE],
      [{ type: 'Condition', lock: { type: 'Lock', semaphore } }, 'descriptor.condition', TYPE],
      [{ type: 'Condition', lock: { type: 'Lock', semaphore }, condition: {} }, 'descriptor.condition.sleeping', TYPE],
      [{ type: 'Event' }, 'descriptor.event', TYPE],
      [{ type: 'Event', event: {} }, 'descriptor.event.lock', TYPE],
      [{ type: 'Event', event: { lock: semaphore } }, 'descriptor.event.condition', TYPE],
    ];

    it(`refuses ${cases.length} bad descriptors`, async () => {
      for (const [descriptor, name, code] of cases) await refuses(() => mp.attach(descriptor as never), name, code);
    });

    it('refuses a bound that no semaphore has', async () => {
      const descriptor = { type: 'BoundedSemaphore', semaphore, bound: 2 ** 31 } as const;
      await refuses(() => mp.attach(descriptor), 'descriptor.bound', RANGE);
    });

    it('refuses names that sem_open would read otherwise', async () => {
      const zero = opened(mp.NamedSemaphore.create(NAME, 1));
      try {
        // In C the name would end before the zero, and this one exists.
        await refuses(
          () => opened(mp.attach({ type: 'Lock', semaphore: { name: `${NAME}\0more` } })),
          'descriptor.semaphore.name',
          RANGE,
        );
      } finally {
        zero.unlink();
      }
    });

    it('refuses a Condition over a semaphore that is no lock', async () => {
      const condition = opened(new mp.Condition());
      const lock = mp.describe(opened(new mp.Semaphore())) as never;
      await refuses(() => mp.attach({ ...mp.describe(condition), lock } as never), 'descriptor.lock', TYPE);
    });

    it('of what does not exist is ENOENT, whether by name or in a family', () => {
      throws(() => mp.attach({ type: 'Lock', semaphore }), { code: 'ENOENT', syscall: 'sem_open' });
      const inFamily = { name: '/mp-nofamily-1', family: 'nofamily', number: 1 };
      throws(() => mp.attach({ type: 'Lock', semaphore: inFamily }), { code: 'ENOENT' });
      const lock = opened(new mp.Lock());
      const descriptor = mp.describe(lock) as mp.SemLockDescriptor & { type: 'Lock' };
      lock.close();
      throws(() => mp.attach(descriptor), { code: 'ENOENT' });
    });
  });

  describe('as a part of a message', () => {
    const formats: [string, mp.Serialization][] = [
      ['structured', 'structured'],
      ['json', 'json'],
      ['msgpackr', new Packr()],
    ];
    const makers: Record<string, () => { close(): void }> = {
      ...Object.fromEntries(Object.entries(shareable).map(([what, Class]) => [what, () => new Class()])),
      NamedSemaphore: () => {
        const semaphore = mp.NamedSemaphore.create(NAME);
        semaphore.unlink();
        return semaphore;
      },
    };
    for (const [what, make] of Object.entries(makers)) {
      it(`a ${what} is an error, and never an empty object`, async () => {
        const object = opened(make());
        for (const [, serialization] of formats) {
          const { reader, writer } = makePair('socketpair', { serialization });
          for (const mode of modes) {
            for (const value of [object, { deep: [object] }]) {
              await rejects(via(mode, writer).send(value), { code: 'ERR_MP_NOT_SUPPORTED' });
            }
          }
          expect(reader.pollSync()).to.equal(false);
          await writer.send('goes on');
          expect(await reader.recv()).to.equal('goes on');
        }
        throws(() => structuredClone(object), { code: 'ERR_MP_NOT_SUPPORTED' });
        object.close();
        throws(() => structuredClone(object), { code: 'ERR_MP_NOT_SUPPORTED' });
      });
    }

    it('a Guard is an error, and never an empty object', async () => {
      const lock = opened(new mp.Lock());
      const guard = await lock.guard();
      const { writer } = makePair('socketpair');
      await rejects(writer.send(guard), { code: 'ERR_MP_NOT_SUPPORTED' });
      guard.release();
    });

    it('what describe() makes travels', async () => {
      for (const Class of Object.values(shareable)) {
        const object = opened(new Class()) as mp.Lock;
        for (const [, serialization] of formats) {
          const { reader, writer } = makePair('socketpair', { serialization });
          await writer.send(mp.describe(object));
          const descriptor = (await reader.recv()) as mp.Descriptor;
          expect(descriptor).to.deep.equal(mp.describe(object));
          expect(opened(mp.attach(descriptor))).to.be.instanceOf(Class);
        }
      }
    });
  });
});
