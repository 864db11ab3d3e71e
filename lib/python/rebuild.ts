// SPDX-License-Identifier: MIT
//
// The other side of shapes.ts: what a Python process has pickled for its child, while CPython lets it pickle objects of
// multiprocessing, becomes the objects of this package.
import { Condition } from '../synchronize/condition.js';
import { attachConnection } from '../connection/reduction.js';
import { Connection } from '../connection/connection.js';
import { Event } from '../synchronize/event.js';
import { JoinableQueue } from '../queues/joinable-queue.js';
import { DEFAULT_HIGH_WATER_MARK } from '../queues/options.js';
import type { Joinable, QueueParts } from '../queues/parts.js';
import { Queue } from '../queues/queue.js';
import { Existing, type SemLock } from '../synchronize/sem-lock.js';
import { decodePickle } from '../serialization/pickle/codec.js';
import { reducerTable, type Reducer } from '../serialization/pickle/hooks.js';
import { ChannelSerialization } from '../connection/channel-format.js';
import { SimpleQueue } from '../queues/simple-queue.js';
import { Description, type DescriptorAddress, type Taking } from '../reduction/transfer.js';
import { BoundedSemaphore, Lock, OwnableLock, RLock, Semaphore } from '../synchronize/locks.js';
import { checkInteger, checkSemaphoreName } from '../core/validate.js';

/** Arguments as a Python process sends them. */
export interface PickledArguments {
  /** The pickle of a list. */
  readonly pickle: Buffer;
  /** The number of each descriptor that the pickle refers to, and what it leads to: device and inode. */
  readonly descriptors: readonly (readonly [number, string, string])[];
  /** A descriptor whose end tells the parent of the end of this process. */
  readonly sentinel: number;
}

/** Stands for an object until it gets its state. */
function unmade(): symbol {
  return Symbol('unmade');
}

/** An object whose state says what it is. */
function stateful(make: (state: readonly unknown[]) => unknown): Reducer {
  return {
    call: unmade,
    build(_, state) {
      if (!Array.isArray(state)) throw new TypeError('its state is no tuple');
      return make(state as unknown[]);
    },
  };
}

function instance<T>(value: unknown, Class: abstract new (...args: never[]) => T): T {
  if (value instanceof Class) return value;
  throw new TypeError(`a part of it is no ${Class.name}`);
}

/** Takes things, and closes them all if one of them cannot be taken. */
class Things {
  readonly #taking: Taking;
  readonly #addresses: ReadonlyMap<unknown, DescriptorAddress>;
  readonly #made: { close(): void }[] = [];

  constructor(taking: Taking, descriptors: PickledArguments['descriptors']) {
    this.#taking = taking;
    this.#addresses = new Map(descriptors.map(([fd, device, inode]) => [fd, { fd, device, inode }]));
  }

  closeAll(): void {
    for (const object of this.#made.reverse()) object.close();
  }

  keep<T extends { close(): void }>(object: T): T {
    this.#made.push(object);
    return object;
  }

  connection([descriptor, readable, writable]: readonly unknown[]): Connection {
    const address = this.#addresses.get((descriptor as { fd?: unknown } | undefined)?.fd);
    if (address === undefined) throw new TypeError('it is over a descriptor that the parent has not listed');
    const direction = { readable: readable === true, writable: writable === true };
    const options = { descriptor: address, ...direction, serialization: 'pickle', options: {} } as const;
    return this.keep(attachConnection(options, this.#taking, 'connection'));
  }

  /** CPython: SemLock.__setstate__. */
  semLock(make: (name: Existing<{ name: string }>, most: number) => SemLock): Reducer {
    return stateful(([, , most, name]) => {
      checkSemaphoreName(name, 'name');
      checkInteger(most, 'maxvalue');
      return this.keep(make(new Existing({ name }), most));
    });
  }

  condition([lock, ...semaphores]: readonly unknown[]): Condition {
    if (!(lock instanceof OwnableLock)) throw new TypeError('its lock is neither a Lock nor an RLock');
    const [sleeping, woken, wait] = semaphores.map((part) => instance(part, Semaphore)) as [
      Semaphore,
      Semaphore,
      Semaphore,
    ];
    const address = { sleeping: sleeping.handle.address, woken: woken.handle.address, wait: wait.handle.address };
    const condition = this.keep(new Condition(lock, new Existing(address)));
    for (const part of [sleeping, woken, wait]) part.close();
    return condition;
  }

  event(state: unknown): Event {
    const { _cond, _flag } = state as Record<string, unknown>;
    const [condition, flag] = [instance(_cond, Condition), instance(_flag, Semaphore)];
    const address = {
      lock: condition.lock.handle.address,
      condition: condition.addressFor(new Description(true)),
      flag: flag.handle.address,
    };
    const event = this.keep(new Event(new Existing(address)));
    for (const part of [condition, condition.lock, flag]) part.close();
    return event;
  }

  simpleQueue([reader, writer, rlock, wlock]: readonly unknown[]): SimpleQueue {
    return this.keep(new SimpleQueue(new Existing(queueParts(reader, writer, rlock, wlock, undefined))));
  }

  queue([, , reader, writer, rlock, wlock, places]: readonly unknown[]): Queue {
    const parts = queueParts(reader, writer, rlock, wlock, instance(places, BoundedSemaphore));
    return this.keep(new Queue(new Existing(parts), false));
  }

  joinableQueue([
    ,
    ,
    reader,
    writer,
    rlock,
    wlock,
    places,
    ,
    condition,
    unfinished,
  ]: readonly unknown[]): JoinableQueue {
    const joinable = { condition: instance(condition, Condition), unfinished: instance(unfinished, Semaphore) };
    const parts = queueParts(reader, writer, rlock, wlock, instance(places, BoundedSemaphore), joinable);
    return this.keep(new JoinableQueue(new Existing(parts)));
  }
}

function queueParts(
  reader: unknown,
  writer: unknown,
  rlock: unknown,
  wlock: unknown,
  places: BoundedSemaphore | undefined,
  joinable?: Joinable,
): QueueParts {
  return {
    reader: end(reader),
    writer: end(writer),
    rlock: instance(rlock, Lock),
    wlock: instance(wlock, Lock),
    places,
    joinable,
    serialization: new ChannelSerialization('pickle', false),
    highWaterMark: DEFAULT_HIGH_WATER_MARK,
  };
}

function end<S, R>(value: unknown): Connection<S, R> {
  const connection: unknown = value instanceof Connection ? value : undefined;
  if (connection !== undefined) return connection as Connection<S, R>;
  throw new TypeError('a part of it is no Connection');
}

function reducersFor(things: Things): ReturnType<typeof reducerTable> {
  return reducerTable({
    'multiprocessing.connection': {
      rebuild_connection: { call: (args) => things.connection(args) },
    },
    'multiprocessing.popen_spawn_posix': {
      _DupFd: { call: () => ({}), build: (_, state) => state },
    },
    'multiprocessing.queues': {
      SimpleQueue: stateful((state) => things.simpleQueue(state)),
      Queue: stateful((state) => things.queue(state)),
      JoinableQueue: stateful((state) => things.joinableQueue(state)),
    },
    'multiprocessing.synchronize': {
      Lock: things.semLock((existing) => new Lock(existing)),
      RLock: things.semLock((existing) => new RLock(existing)),
      Semaphore: things.semLock((existing) => new Semaphore(existing)),
      BoundedSemaphore: things.semLock((existing, most) => new BoundedSemaphore(most, existing)),
      Condition: stateful((state) => things.condition(state)),
      Event: { call: unmade, build: (_, state) => things.event(state) },
    },
  });
}

/** The arguments that a Python process sends. If one of them cannot be taken nothing stays open. */
export function takePickled({ pickle, descriptors }: PickledArguments, taking: Taking): unknown[] {
  const things = new Things(taking, descriptors);
  try {
    return decodePickle(pickle, true, { reducers: reducersFor(things) }) as unknown[];
  } catch (error) {
    things.closeAll();
    throw error;
  }
}
