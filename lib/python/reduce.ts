// SPDX-License-Identifier: MIT
//
// Objects of this package in pickles: they become objects of CPython's multiprocessing, with the state that CPython's
// own pickling for a child process gives them.
import { reduceSharedArray } from './array-pickles.js';
import type { ConditionAddress } from '../synchronize/waiter-counts.js';
import type { ConnectionDescriptor } from '../connection/channel-reduction.js';
import type { DescriptorAddress } from '../reduction/exporters.js';
import type { Descriptor } from '../describe.js';
import type { PieceAddress } from '../shared-memory/heap.js';
import type { SharedValueDescriptor } from '../shared-memory/values.js';
import { typeOf } from '../shared-memory/typecodes.js';
import type { QueueDescriptor } from '../queues/queue-resources.js';
import { isReducible, reduceObject } from '../reduction/registry.js';
import { SEM_VALUE_MAX, type SemLockDescriptor } from '../synchronize/sem-lock.js';
import { create, PythonGlobal, PythonTuple, reduce, type PythonObject } from '../serialization/pickle/nodes.js';
import type { Exporter, SemaphoreAddress } from '../reduction/exporters.js';

/** The kinds of a SemLock. CPython: `synchronize.RECURSIVE_MUTEX` and `SEMAPHORE`. */
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
  SimpleQueue: classOf('queues', 'SimpleQueue'),
  Queue: classOf('queues', 'Queue'),
  JoinableQueue: classOf('queues', 'JoinableQueue'),
  SharedMemory: classOf('shared_memory', 'SharedMemory'),
  Arena: classOf('heap', 'Arena'),
  BufferWrapper: classOf('heap', 'BufferWrapper'),
  Barrier: classOf('synchronize', 'Barrier'),
};

function tuple(...items: readonly unknown[]): PythonTuple {
  return new PythonTuple(items);
}

function connection({ descriptor, readable, writable }: ConnectionDescriptor): PythonObject {
  return reduce(classes.Connection, [descriptor.fd, readable, writable]);
}

function semLock(type: SemLockDescriptor['type'], { name }: SemaphoreAddress, bound = SEM_VALUE_MAX): PythonObject {
  const kind = type === 'RLock' ? RECURSIVE_MUTEX : SEMAPHORE;
  const most = type === 'Lock' || type === 'RLock' ? 1 : bound;
  // CPython: SemLock.__getstate__. The first item is a pointer, which is ignored on systems where semaphores have
  // names.
  return create(classes[type], [], tuple(0, kind, most, name));
}

/** @param lock A lock, or its reduced form. */
function condition(lock: unknown, { sleeping, woken, wait }: ConditionAddress): PythonObject {
  const [first, second, third] = [sleeping, woken, wait].map((address) => semLock('Semaphore', address));
  return create(classes.Condition, [], tuple(lock, first, second, third));
}

/** CPython: `__getstate__` of Queue, JoinableQueue and SimpleQueue. */
function queue({
  type,
  reader,
  writer,
  rlock,
  wlock,
  places,
  condition: finished,
  unfinished,
}: QueueDescriptor): PythonObject {
  const ends = [connection(reader), connection(writer), lockOf(rlock), lockOf(wlock)];
  // Only a SimpleQueue has no slots.
  if (places === undefined) return create(classes[type], [], tuple(...ends));
  const state = [false, places.bound, ...ends, lockOf(places), process.pid];
  if (finished !== undefined) state.push(condition(lockOf(finished.lock), finished.condition));
  if (unfinished !== undefined) state.push(lockOf(unfinished));
  return create(classes[type], [], tuple(...state));
}

/** The arenas of pieces, by the addresses of their descriptors: a child maps each once. */
const arenas = new WeakMap<DescriptorAddress, PythonObject>();

/** CPython: `rebuild_arena`, and the state of a BufferWrapper. */
function wrapper({ arena, arenaSize, start, size }: PieceAddress): PythonObject {
  const made = arenas.get(arena) ?? reduce(classes.Arena, [arenaSize, arena.fd]);
  arenas.set(arena, made);
  const block = tuple(made, start, start + Math.max(8, Math.ceil(size / 8) * 8));
  return create(classes.BufferWrapper, [], { _state: tuple(block, size) });
}

/** CPython: `reduce_ctype`, and `__reduce__` of Synchronized. */
function sharedValue({ typecode, memory, length, lock }: SharedValueDescriptor): PythonObject {
  const type = new PythonGlobal('ctypes', typeOf(typecode).ctype);
  const value = reduce(classOf('sharedctypes', 'rebuild_ctype'), [type, wrapper(memory), length ?? null]);
  return lock === undefined ? value : reduce(classOf('sharedctypes', 'synchronized'), [value, lock]);
}

const evaluate = new PythonGlobal('builtins', 'eval');
/** Its name is an argument that has to be named. */
const LIST = "__import__('multiprocessing.shared_memory').shared_memory.ShareableList(name=name)";

function lockOf({ type, semaphore, bound }: SemLockDescriptor): PythonObject {
  return semLock(type, semaphore, bound);
}

function pythonObject(descriptor: Descriptor): PythonObject {
  switch (descriptor.type) {
    case 'Condition':
      return condition(descriptor.lock, descriptor.condition);
    case 'Event': {
      const { lock, condition: waiting, flag } = descriptor.event;
      const state = { _cond: condition(semLock('Lock', lock), waiting), _flag: semLock('Semaphore', flag) };
      return create(classes.Event, [], state);
    }
    case 'Connection':
      return connection(descriptor);
    case 'Queue':
    case 'JoinableQueue':
    case 'SimpleQueue':
      // A queue with leases is not reduced for Python.
      return queue(descriptor as QueueDescriptor);
    case 'SharedMemory':
      return reduce(classes.SharedMemory, [descriptor.name]);
    case 'ShareableList':
      return reduce(evaluate, [LIST, { name: descriptor.name }]);
    case 'RawValue':
    case 'RawArray':
    case 'Value':
    case 'Array':
      return sharedValue(descriptor);
    case 'Barrier': {
      const { parties, timeout, memory } = descriptor;
      const { lock, condition: waiting } = descriptor.condition;
      const seconds = timeout === undefined ? null : timeout / 1000;
      const state = tuple(parties, null, seconds, condition(lockOf(lock), waiting), wrapper(memory));
      return create(classes.Barrier, [], state);
    }
    default:
      return lockOf(descriptor);
  }
}

/**
 * The pickled form of an object of this package; undefined for any other object. A part that user code may refer to as
 * well, such as the lock of a Condition, stays in its place: the encoder reduces it there, and writes each object once.
 */
export function reduceForPython(object: object, exporter: Exporter): PythonObject | undefined {
  if (!isReducible(object)) return reduceSharedArray(object, exporter);
  return pythonObject(reduceObject(object, exporter, (part) => part) as Descriptor);
}
