// SPDX-License-Identifier: MIT
//
// The counterpart of reduce.ts: turns objects of multiprocessing, which a Python process has pickled for its child,
// into objects of this package.
import { sharedReducers } from './array-pickles.js';
import type { Channel } from '../connection/channel.js';
import { rebuildChannel } from '../connection/channel-reduction.js';
import { ChannelFormat } from '../connection/channel-format.js';
import { Connection } from '../connection/connection.js';
import { checkInteger, checkSemaphoreName } from '../core/validate.js';
import type { PickledArguments } from '../process/bootstrap.js';
import { JoinableQueue } from '../queues/joinable-queue.js';
import { DEFAULT_HIGH_WATER_MARK } from '../queues/options.js';
import { QueueResources, type Joinable } from '../queues/queue-resources.js';
import { Queue } from '../queues/queue.js';
import { SimpleQueue } from '../queues/simple-queue.js';
import { Description } from '../reduction/description.js';
import type { DescriptorAddress, Importer, SemaphoreAddress } from '../reduction/exporters.js';
import { decodePickle } from '../serialization/pickle/codec.js';
import { KnownGlobal, reducerTable, type Reducer } from '../serialization/pickle/hooks.js';
import { PythonGlobal } from '../serialization/pickle/nodes.js';
import { Arena, Piece } from '../shared-memory/heap.js';
import type { Barrier } from '../shared-memory/barrier.js';
import { barrierOver, valueOver } from '../shared-memory/rebuild.js';
import { ShareableList } from '../shared-memory/shareable-list.js';
import { SharedMemory } from '../shared-memory/shared-memory.js';
import { CTYPES, typecodeOf } from '../shared-memory/typecodes.js';
import { RawArray, RawValue } from '../shared-memory/values.js';
import { Condition } from '../synchronize/condition.js';
import type { Event } from '../synchronize/event.js';
import { BoundedSemaphore, Lock, OwnableLock, RLock, Semaphore } from '../synchronize/locks.js';
import { attachEvent } from '../synchronize/rebuild.js';
import type { SemLock } from '../synchronize/sem-lock.js';
import { SemaphoreHandle } from '../synchronize/semaphore-handle.js';
import { WaiterCounts } from '../synchronize/waiter-counts.js';

/** The placeholder of an object that has not received its state yet. */
function unmade(): symbol {
  return Symbol('unmade');
}

/** A reducer for objects that are made from their state. */
function stateful(make: (state: readonly unknown[]) => unknown): Reducer {
  return {
    call: unmade,
    build(_, state) {
      if (!Array.isArray(state)) throw new TypeError('its state is not a tuple');
      return make(state as unknown[]);
    },
  };
}

function instance<T>(value: unknown, Class: abstract new (...args: never[]) => T): T {
  if (value instanceof Class) return value;
  throw new TypeError(`a part of it is not a ${Class.name}`);
}

/** Rebuilds objects, and keeps them in a list so that all can be closed if one cannot be rebuilt. */
class Rebuilder {
  readonly #importer: Importer;
  readonly #addresses: ReadonlyMap<unknown, DescriptorAddress>;
  readonly #made: { close(): void }[] = [];

  constructor(importer: Importer, descriptors: PickledArguments['descriptors']) {
    this.#importer = importer;
    this.#addresses = new Map(descriptors.map(([fd, device, inode]) => [fd, { fd, device, inode }]));
  }

  closeAll(): void {
    for (const object of this.#made.reverse()) object.close();
  }

  keep<T extends { close(): void }>(object: T): T {
    this.#made.push(object);
    return object;
  }

  #address(descriptor: unknown): DescriptorAddress {
    const address = this.#addresses.get((descriptor as { fd?: unknown } | undefined)?.fd);
    if (address === undefined) throw new TypeError('it uses a descriptor that the parent did not list');
    return address;
  }

  connection([descriptor, readable, writable]: readonly unknown[]): Connection {
    const address = this.#address(descriptor);
    const direction = { readable: readable === true, writable: writable === true };
    const reduced = { descriptor: address, ...direction, serialization: 'pickle', options: {} };
    const { channel, format } = rebuildChannel(reduced, 'connection', this.#importer);
    return this.keep(Connection.over(channel, format));
  }

  /** CPython: SemLock.__setstate__. */
  semLock(typeName: string, make: (handle: SemaphoreHandle, most: number) => SemLock): Reducer {
    return stateful(([, , most, name]) => {
      checkSemaphoreName(name, 'name');
      checkInteger(most, 'maxvalue');
      return this.keep(make(SemaphoreHandle.attach(typeName, { name }), most));
    });
  }

  condition([lock, ...semaphores]: readonly unknown[]): Condition {
    if (!(lock instanceof OwnableLock)) throw new TypeError('its lock is neither a Lock nor an RLock');
    const [sleeping, woken, wait] = semaphores.map((part) => replaceable(part)) as [Replaced, Replaced, Replaced];
    const address = { sleeping: sleeping.address, woken: woken.address, wait: wait.address };
    const condition = this.keep(new Condition(lock, WaiterCounts.attach(address)));
    for (const part of [sleeping, woken, wait]) part.close();
    return condition;
  }

  event(state: unknown): Event {
    const { _cond, _flag } = state as Record<string, unknown>;
    const condition = instance(_cond, Condition);
    const flag = replaceable(_flag);
    const addresses = condition.addressFor(new Description(true));
    const event = this.keep(attachEvent(condition.lock.handle.address, addresses, flag.address));
    for (const part of [condition, condition.lock, flag]) part.close();
    return event;
  }

  simpleQueue([reader, writer, rlock, wlock]: readonly unknown[]): SimpleQueue {
    return this.#queue(queueResources(reader, writer, rlock, wlock), (resources) => new SimpleQueue(resources));
  }

  queue([, , reader, writer, rlock, wlock, slots]: readonly unknown[]): Queue {
    const resources = queueResources(reader, writer, rlock, wlock, instance(slots, BoundedSemaphore));
    return this.#queue(resources, (found) => new Queue(found));
  }

  joinableQueue(state: readonly unknown[]): JoinableQueue {
    const [, , reader, writer, rlock, wlock, slots, , condition, unfinished] = state;
    const joinable = {
      condition: instance(condition, Condition),
      unfinished: instance(unfinished, Semaphore).handle,
    };
    const resources = queueResources(reader, writer, rlock, wlock, instance(slots, BoundedSemaphore), joinable);
    return this.#queue(resources, (found) => new JoinableQueue(found));
  }

  /** CPython: `heap.rebuild_arena`. */
  arena([, descriptor]: readonly unknown[]): Arena {
    return Arena.import(this.#address(descriptor), this.#importer);
  }

  /** CPython: the state of a BufferWrapper. */
  piece(state: unknown): Piece {
    const [[arena, start], size] = (state as { _state: [unknown[], unknown] })._state;
    if (!(arena instanceof Arena)) throw new TypeError('it has no memory');
    return this.keep(new Piece(arena, start, size));
  }

  /** CPython: `rebuild_ctype`. */
  value([type, piece, length]: readonly unknown[]): RawValue | RawArray {
    if (!(type instanceof PythonGlobal)) throw new TypeError('it has no type');
    const typecode = type.module === 'ctypes' ? typecodeOf(type.name) : undefined;
    if (typecode === undefined) throw new TypeError(`${type.toString()} has no typecode of multiprocessing`);
    return this.keep(valueOver(typecode, instance(piece, Piece), length, undefined));
  }

  /** CPython: `sharedctypes.synchronized`. */
  synchronized([value, lock]: readonly unknown[]): RawValue | RawArray {
    if (!(value instanceof RawValue || value instanceof RawArray)) throw new TypeError('it has no value');
    if (!(lock instanceof OwnableLock)) throw new TypeError('its lock is neither a Lock nor an RLock');
    return this.keep(value.locked(lock));
  }

  /** CPython pickles a ShareableList as the call of `functools.partial(ShareableList, name=...)`. */
  partial([, , keywords]: readonly unknown[]): KnownGlobal {
    const { name } = keywords as { name: string };
    const call = (): ShareableList => this.keep(new ShareableList(undefined, { name }));
    return new KnownGlobal('functools', 'partial', { call });
  }

  barrier([parties, action, timeout, condition, piece]: readonly unknown[]): Barrier {
    if (action !== null) throw new TypeError('its action is a function of Python');
    const milliseconds = typeof timeout === 'number' ? timeout * 1000 : undefined;
    const parts = { condition: instance(condition, Condition), piece: instance(piece, Piece) };
    return this.keep(barrierOver(parties, milliseconds, parts));
  }

  #queue<T extends { close(): void }>(resources: QueueResources, make: (resources: QueueResources) => T): T {
    this.keep(resources);
    return this.keep(make(resources));
  }
}

/** A rebuilt Semaphore that is closed again: only its address is used. */
interface Replaced {
  readonly address: SemaphoreAddress;
  close(): void;
}

function replaceable(value: unknown): Replaced {
  const semaphore = instance(value, Semaphore);
  return { address: semaphore.handle.address, close: () => semaphore.close() };
}

function connectionOf(value: unknown): Connection<never, unknown> {
  const connection: unknown = value instanceof Connection ? value : undefined;
  if (connection !== undefined) return connection as Connection<never, unknown>;
  throw new TypeError('a part of it is not a Connection');
}

/** @param slots Undefined for a SimpleQueue. */
function queueResources(
  reader: unknown,
  writer: unknown,
  rlock: unknown,
  wlock: unknown,
  slots?: BoundedSemaphore,
  joinable?: Joinable,
): QueueResources {
  const ends = [connectionOf(reader), connectionOf(writer)];
  const [first, second] = ends.map((end) => Connection.internals(end).channel) as [Channel, Channel];
  const resources = new QueueResources({
    pipe: { reader: first, writer: second },
    rlock: instance(rlock, Lock).handle,
    wlock: instance(wlock, Lock).handle,
    slots: slots && { semaphore: slots.handle, count: slots.bound },
    joinable,
    statePipe: undefined,
    format: new ChannelFormat('pickle', false),
    highWaterMark: DEFAULT_HIGH_WATER_MARK,
  });
  // From now on the resources are users of the channels themselves.
  for (const end of ends) end.close();
  return resources;
}

function reducersFor(rebuilder: Rebuilder): ReturnType<typeof reducerTable> {
  return reducerTable({
    ...sharedReducers,
    ctypes: Object.fromEntries(CTYPES.map((name) => [name, {}])),
    'multiprocessing.reduction': {
      _rebuild_partial: { call: (args) => rebuilder.partial(args) },
    },
    'multiprocessing.heap': {
      rebuild_arena: { call: (args) => rebuilder.arena(args) },
      BufferWrapper: { call: unmade, build: (_, state) => rebuilder.piece(state) },
    },
    'multiprocessing.sharedctypes': {
      rebuild_ctype: { call: (args) => rebuilder.value(args) },
      synchronized: { call: (args) => rebuilder.synchronized(args) },
    },
    'multiprocessing.shared_memory': {
      SharedMemory: { call: ([name]) => rebuilder.keep(new SharedMemory({ name: name as string })) },
      ShareableList: {},
    },
    'multiprocessing.connection': {
      rebuild_connection: { call: (args) => rebuilder.connection(args) },
    },
    'multiprocessing.popen_spawn_posix': {
      _DupFd: { call: () => ({}), build: (_, state) => state },
    },
    'multiprocessing.queues': {
      SimpleQueue: stateful((state) => rebuilder.simpleQueue(state)),
      Queue: stateful((state) => rebuilder.queue(state)),
      JoinableQueue: stateful((state) => rebuilder.joinableQueue(state)),
    },
    'multiprocessing.synchronize': {
      Lock: rebuilder.semLock('Lock', (handle) => new Lock(handle)),
      RLock: rebuilder.semLock('RLock', (handle) => new RLock(handle)),
      Semaphore: rebuilder.semLock('Semaphore', (handle) => new Semaphore(handle)),
      BoundedSemaphore: rebuilder.semLock('BoundedSemaphore', (handle, most) => new BoundedSemaphore(most, handle)),
      Condition: stateful((state) => rebuilder.condition(state)),
      Event: { call: unmade, build: (_, state) => rebuilder.event(state) },
      Barrier: stateful((state) => rebuilder.barrier(state)),
    },
  });
}

/** Rebuilds the arguments that a Python process sent. If one of them cannot be rebuilt, none stays open. */
export function rebuildPickled({ pickle, descriptors }: PickledArguments, importer: Importer): unknown[] {
  const rebuilder = new Rebuilder(importer, descriptors);
  try {
    return decodePickle(pickle, true, { reducers: reducersFor(rebuilder) }) as unknown[];
  } catch (error) {
    rebuilder.closeAll();
    throw error;
  }
}
