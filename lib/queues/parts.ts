// SPDX-License-Identifier: MIT
//
// What queues are made of. Everything of it can be passed to other processes by itself, and so can the queue.
import type { ChannelOptions } from '../connection/channel.js';
import { Condition } from '../synchronize/condition.js';
import type { Connection } from '../connection/connection.js';
import { Pipe } from '../connection/pipe.js';
import { ChannelSerialization } from '../connection/channel-format.js';
import type { Serialization } from '../serialization/formats.js';
import { SEM_VALUE_MAX } from '../synchronize/sem-lock.js';
import { BoundedSemaphore, Lock, Semaphore } from '../synchronize/locks.js';

/** What a JoinableQueue has besides. */
export interface Joinable {
  /** Told when the last unfinished item is finished. CPython: `_cond`. */
  readonly condition: Condition;
  /** How many items were put and not finished. CPython: `_unfinished_tasks`. */
  readonly unfinished: Semaphore;
}

/** The pipe that is read by nobody: from the first byte on, the queue has something to tell its Node members. */
export interface Level {
  readonly reader: Connection<never, unknown>;
  readonly writer: Connection<unknown, never>;
}

/** The parts of a queue that exists, from which an object for it can be made. */
export interface QueueParts {
  /** CPython: `_reader`. */
  readonly reader: Connection<never, unknown>;
  /** CPython: `_writer`. */
  readonly writer: Connection<unknown, never>;
  /** Held by who reads. CPython: `_rlock`. */
  readonly rlock: Lock;
  /** Held by who writes. CPython: `_wlock`. */
  readonly wlock: Lock;
  /** How many more items there is a place for. None of a SimpleQueue. CPython: `_sem`. */
  readonly places?: BoundedSemaphore | undefined;
  readonly joinable?: Joinable | undefined;
  /** None of a queue that Python made. */
  readonly level?: Level | undefined;
  readonly serialization: ChannelSerialization;
  /** How many bytes may wait in a process before `put` makes its caller wait. */
  readonly highWaterMark: number;
}

/** What a new queue is to have. */
export interface Wanted {
  /** How many places; undefined for none at all. */
  readonly places: number | undefined;
  readonly joinable: boolean;
  readonly serialization: unknown;
  readonly highWaterMark: number;
  readonly channel: Pick<ChannelOptions, 'maxMessageBytes' | 'exitFlushMs'>;
}

/** The places of a queue of this `maxsize`: as in CPython there is always a number. */
export function placesFor(maxsize: number): number {
  return maxsize > 0 ? maxsize : SEM_VALUE_MAX;
}

/** Makes the parts of a new queue, or nothing if one of them cannot be made. */
export function makeParts({ places, joinable, serialization, highWaterMark, channel }: Wanted): QueueParts {
  const made: { close(): void }[] = [];
  const making = <T extends { close(): void }>(object: T): T => {
    made.push(object);
    return object;
  };
  const makePipe = (): { reader: Connection<never, unknown>; writer: Connection<unknown, never> } => {
    // Others read from it too. They get it by itself, so it must not have another format than the queue.
    const [reader, writer] = Pipe(false, {
      ...channel,
      serialization: serialization as Serialization,
      readAhead: false,
    });
    return { reader: making(reader), writer: making(writer) };
  };
  const format = new ChannelSerialization(serialization, false);
  try {
    return {
      ...makePipe(),
      rlock: making(new Lock()),
      wlock: making(new Lock()),
      places: places === undefined ? undefined : making(new BoundedSemaphore(places)),
      joinable: joinable ? { condition: making(new Condition()), unfinished: making(new Semaphore(0)) } : undefined,
      level: makePipe(),
      serialization: format,
      highWaterMark,
    };
  } catch (error) {
    for (const object of made) object.close();
    throw error;
  }
}

/** Closes this process' copies. What works for the queue in the background has its own. */
export function closeParts({ reader, writer, rlock, wlock, places, joinable, level }: QueueParts): void {
  const parts = [reader, writer, rlock, wlock, places, joinable?.condition, joinable?.unfinished];
  for (const part of [...parts, level?.reader, level?.writer]) part?.close();
}
