// SPDX-License-Identifier: MIT
//
// What objects of this package are in pickles: the classes of CPython's multiprocessing, with the state that CPython itself
// gives them when it pickles them for a child process.
import type { ConditionAddress } from '../condition.js';
import { describeObject, type Descriptor, type SemLockDescriptor } from '../describe.js';
import { SEM_VALUE_MAX } from '../sem-lock.js';
import type { SemaphoreAddress } from '../semaphore-handle.js';
import { create, PythonGlobal, PythonTuple, reduce, type PythonObject } from '../serialization/pickle/nodes.js';
import type { Giving } from '../sharing.js';

/** What a semaphore is used as. CPython: `synchronize.RECURSIVE_MUTEX` and `SEMAPHORE`. */
const RECURSIVE_MUTEX = 0;
const SEMAPHORE = 1;

/** A class of `multiprocessing.<module>`. */
function classOf(module: string, name: string): PythonGlobal {
  return new PythonGlobal(`multiprocessing.${module}`, name);
}

const classes = {
  Lock: classOf('synchronize', 'Lock'),
  RLock: classOf('synchronize', 'RLock'),
  Semaphore: classOf('synchronize', 'Semaphore'),
  BoundedSemaphore: classOf('synchronize', 'BoundedSemaphore'),
  Condition: classOf('synchronize', 'Condition'),
  Event: classOf('synchronize', 'Event'),
  Connection: classOf('connection', 'Connection'),
};

function tuple(...items: readonly unknown[]): PythonTuple {
  return new PythonTuple(items);
}

function semLock(type: SemLockDescriptor['type'], { name }: SemaphoreAddress, bound = SEM_VALUE_MAX): PythonObject {
  const kind = type === 'RLock' ? RECURSIVE_MUTEX : SEMAPHORE;
  const most = type === 'Lock' || type === 'RLock' ? 1 : bound;
  // CPython: SemLock.__getstate__. The first item is a pointer that is not looked at where there is a name.
  return create(classes[type], [], tuple(0, kind, most, name));
}

/** @param lock An object, or what stands for one. */
function condition(lock: unknown, { sleeping, woken, wait }: ConditionAddress): PythonObject {
  const [first, second, third] = [sleeping, woken, wait].map((address) => semLock('Semaphore', address));
  return create(classes.Condition, [], tuple(lock, first, second, third));
}

function shape(descriptor: Descriptor): PythonObject {
  switch (descriptor.type) {
    case 'Condition':
      return condition(descriptor.lock, descriptor.condition);
    case 'Event': {
      const { lock, condition: waiting, flag } = descriptor.event;
      const state = { _cond: condition(semLock('Lock', lock), waiting), _flag: semLock('Semaphore', flag) };
      return create(classes.Event, [], state);
    }
    case 'Connection':
      return reduce(classes.Connection, [descriptor.descriptor.fd, descriptor.readable, descriptor.writable]);
    default:
      return semLock(descriptor.type, descriptor.semaphore, descriptor.bound);
  }
}

/**
 * What stands in a pickle for an object of this package; undefined for any other. Parts that users may have too are left in
 * their place: whoever writes the pickle asks for them, and writes each object once.
 */
export function pythonShape(object: object, giving: Giving): PythonObject | undefined {
  return shape(describeObject(object, giving, (part) => part as unknown as Descriptor));
}
