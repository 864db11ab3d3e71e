// SPDX-License-Identifier: MIT
//
// What describe() and attach() refuse, with errors that name the part of the descriptor.
import * as mp from 'node-multiprocessing';

import { closingAfterEach, RANGE, shareable, TYPE } from '../helpers/arguments.js';
import { refuses, throws } from '../helpers/index.js';

const NAME = `/nmp-test-describe-${process.pid}`;

describe('describe', () => {
  const opened = closingAfterEach();

  it('refuses a value that is no shareable object', async () => {
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

  it('refuses a closed object', () => {
    for (const Class of Object.values(shareable)) {
      const object = new Class() as mp.Lock;
      object.close();
      throws(() => mp.describe(object), { code: 'ERR_MP_CLOSED' });
    }
  });
});

describe('attach', () => {
  const opened = closingAfterEach();

  const semaphore = { name: '/mp-does-not-exist' };
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

  it('refuses a bound above the greatest value of a semaphore', async () => {
    const descriptor = { type: 'BoundedSemaphore', semaphore, bound: 2 ** 31 } as const;
    await refuses(() => mp.attach(descriptor), 'descriptor.bound', RANGE);
  });

  it('refuses names that sem_open would read differently', async () => {
    const zero = opened(mp.NamedSemaphore.create(NAME, 1));
    try {
      // In C the name would end before the zero, and a semaphore with that name exists.
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

  it('fails with ENOENT if the semaphore does not exist, by name or in a family', () => {
    throws(() => mp.attach({ type: 'Lock', semaphore }), { code: 'ENOENT', syscall: 'sem_open' });
    const inFamily = { name: '/mp-nofamily-1', family: 'nofamily', number: 1 };
    throws(() => mp.attach({ type: 'Lock', semaphore: inFamily }), { code: 'ENOENT' });
    const lock = opened(new mp.Lock());
    const descriptor = mp.describe(lock) as mp.SemLockDescriptor & { type: 'Lock' };
    lock.close();
    throws(() => mp.attach(descriptor), { code: 'ENOENT' });
  });
});
