// SPDX-License-Identifier: MIT
//
// What a queue is for somebody else: its parts.
import type { BaseQueue } from './base-queue.js';
import type { Condition } from '../synchronize/condition.js';
import {
  attachConnection,
  attachSerialization,
  describeConnection,
  fixSerialization,
  type ConnectionDescriptor,
  type SerializationKind,
} from '../connection/reduction.js';
import type { Connection } from '../connection/connection.js';
import { argumentError, ClosedError } from '../core/errors.js';
import { JoinableQueue } from './joinable-queue.js';
import {
  attachCondition,
  attachLock,
  describeCondition,
  describeLock,
  type ConditionDescriptor,
  type SemLockDescriptor,
} from '../synchronize/reduction.js';
import { Queue } from './queue.js';
import { DEFAULT_HIGH_WATER_MARK } from './options.js';
import { closeParts, type Joinable, type Level, type QueueParts } from './parts.js';
import { Existing, type SemLock } from '../synchronize/sem-lock.js';
import type { Giving, Taking } from '../reduction/transfer.js';
import { SimpleQueue } from './simple-queue.js';
import { BoundedSemaphore, Lock, Semaphore } from '../synchronize/locks.js';
import { checkObject } from '../core/validate.js';

/** What `describe` makes of a queue. It is plain JSON. */
export interface QueueDescriptor {
  /** The class. */
  readonly type: 'Queue' | 'JoinableQueue' | 'SimpleQueue';
  /** CPython: `_reader`. */
  readonly reader: ConnectionDescriptor;
  /** CPython: `_writer`. */
  readonly writer: ConnectionDescriptor;
  /** CPython: `_rlock`. */
  readonly rlock: SemLockDescriptor;
  /** CPython: `_wlock`. */
  readonly wlock: SemLockDescriptor;
  /** How many more items there is a place for. CPython: `_sem`. */
  readonly places?: SemLockDescriptor | undefined;
  /** Of a JoinableQueue. CPython: `_cond`. */
  readonly condition?: ConditionDescriptor | undefined;
  /** Of a JoinableQueue. CPython: `_unfinished_tasks`. */
  readonly unfinished?: SemLockDescriptor | undefined;
  /** The pipe by which Node members learn of a shutdown, its reader first. */
  readonly level?: readonly [ConnectionDescriptor, ConnectionDescriptor] | undefined;
  /** How items become bytes; `custom` for functions of the user, which cannot be passed on. */
  readonly serialization: SerializationKind;
  /** See `QueueOptions`. */
  readonly highWaterMark: number;
}

/** The class of a queue, as its descriptor says it. */
function typeOf(queue: BaseQueue<unknown>): QueueDescriptor['type'] {
  if (queue instanceof JoinableQueue) return 'JoinableQueue';
  return queue instanceof SimpleQueue ? 'SimpleQueue' : 'Queue';
}

/** Takes a queue apart. */
export function describeQueue(queue: BaseQueue<unknown>, giving: Giving): QueueDescriptor {
  const type = typeOf(queue);
  if (queue.closed) throw new ClosedError(type);
  const { reader, writer, rlock, wlock, places, joinable, level, serialization, highWaterMark } = queue.parts;
  fixSerialization(serialization, giving);
  const end = (connection: Connection<never, unknown> | Connection<unknown, never>): ConnectionDescriptor =>
    describeConnection(connection as Connection<never, unknown>, giving);
  return {
    type,
    reader: end(reader),
    writer: end(writer),
    rlock: describeLock(rlock, giving),
    wlock: describeLock(wlock, giving),
    places: places && describeLock(places, giving),
    condition: joinable && describeCondition(joinable.condition, describeLock(joinable.condition.lock, giving), giving),
    unfinished: joinable && describeLock(joinable.unfinished, giving),
    // Python does not know it.
    level: giving.serialization === 'pickle' ? undefined : level && [end(level.reader), end(level.writer)],
    serialization: serialization.kind ?? giving.serialization,
    highWaterMark,
  };
}

/** Makes parts one after the other, and closes them if a later one cannot be made. */
class Parts {
  readonly #fields: Record<string, unknown>;
  readonly #taking: Taking;
  readonly #made: { close(): void }[] = [];

  constructor(fields: Record<string, unknown>, taking: Taking) {
    this.#fields = fields;
    this.#taking = taking;
  }

  connection<S, R>(name: string, value = this.#fields[name]): Connection<S, R> {
    checkObject(value, `descriptor.${name}`);
    return this.#keep(attachConnection(value, this.#taking, `descriptor.${name}`) as unknown as Connection<S, R>);
  }

  lock<T extends SemLock>(name: string, Class: new (...args: never[]) => T): T {
    const value = this.#fields[name];
    checkObject(value, `descriptor.${name}`);
    const lock: SemLock = this.#keep(attachLock(value as Record<string, unknown>, `descriptor.${name}`));
    if (lock instanceof Class) return lock;
    throw argumentError('type', `descriptor.${name} must be of a ${Class.name}`);
  }

  condition(): Condition {
    const value = this.#fields['condition'];
    checkObject(value, 'descriptor.condition');
    return this.#keep(attachCondition(value as Record<string, unknown>, 'descriptor.condition'));
  }

  level(): Level | undefined {
    const value = this.#fields['level'];
    if (value === undefined || value === null) return undefined;
    if (!Array.isArray(value)) throw argumentError('type', 'descriptor.level must be an array');
    const [reader, writer] = value as unknown[];
    return { reader: this.connection('level[0]', reader), writer: this.connection('level[1]', writer) };
  }

  closeAll(): void {
    for (const part of this.#made) part.close();
  }

  #keep<T extends { close(): void }>(part: T): T {
    this.#made.push(part);
    return part;
  }
}

function attachParts(parts: Parts, type: unknown, fields: Record<string, unknown>): QueueParts {
  const serialization = attachSerialization(fields['serialization'], 'descriptor.serialization');
  const mark = fields['highWaterMark'];
  const highWaterMark = typeof mark === 'number' && mark >= 0 ? mark : DEFAULT_HIGH_WATER_MARK;
  const joinable = (): Joinable => ({
    condition: parts.condition(),
    unfinished: parts.lock('unfinished', Semaphore),
  });
  return {
    reader: parts.connection('reader'),
    writer: parts.connection('writer'),
    rlock: parts.lock('rlock', Lock),
    wlock: parts.lock('wlock', Lock),
    places: type === 'SimpleQueue' ? undefined : parts.lock('places', BoundedSemaphore),
    joinable: type === 'JoinableQueue' ? joinable() : undefined,
    level: parts.level(),
    serialization,
    highWaterMark,
  };
}

/** Puts a queue together. */
export function attachQueue(fields: Record<string, unknown>, taking: Taking): Queue | JoinableQueue | SimpleQueue {
  const { type } = fields;
  const making = new Parts(fields, taking);
  let parts: QueueParts;
  try {
    parts = attachParts(making, type, fields);
  } catch (error) {
    making.closeAll();
    throw error;
  }
  try {
    const existing = new Existing(parts);
    if (type === 'SimpleQueue') return new SimpleQueue(existing);
    return type === 'JoinableQueue' ? new JoinableQueue(existing) : new Queue(existing, false);
  } catch (error) {
    closeParts(parts);
    throw error;
  }
}
