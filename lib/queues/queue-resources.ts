// SPDX-License-Identifier: MIT
//
// The resources of a queue: two pipes and several semaphores.
import { Channel } from '../connection/channel.js';
import { ChannelFormat } from '../connection/channel-format.js';
import {
  fixSerialization,
  reduceChannel,
  type ConnectionDescriptor,
  type SerializationKind,
} from '../connection/channel-reduction.js';
import { checkOptions, type ChannelOptions } from '../connection/options.js';
import { reduceObject } from '../reduction/registry.js';
import type { Exporter } from '../reduction/exporters.js';
import { Condition, type ConditionDescriptor } from '../synchronize/condition.js';
import { labelled } from '../synchronize/labels.js';
import { SEM_VALUE_MAX, type SemLockDescriptor } from '../synchronize/sem-lock.js';
import { SemaphoreHandle } from '../synchronize/semaphore-handle.js';

/** The result of `describe` for a queue. It is plain JSON. */
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
  /** The semaphore that counts the free slots. CPython: `_sem`. */
  readonly places?: SemLockDescriptor | undefined;
  /** Only of a JoinableQueue. CPython: `_cond`. */
  readonly condition?: ConditionDescriptor | undefined;
  /** Only of a JoinableQueue. CPython: `_unfinished_tasks`. */
  readonly unfinished?: SemLockDescriptor | undefined;
  /** The pipe that tells Node members of a shutdown: reader, then writer. */
  readonly level?: readonly [ConnectionDescriptor, ConnectionDescriptor] | undefined;
  /** How items are serialised; `custom` for functions of the user, which cannot be passed on. */
  readonly serialization: SerializationKind;
  /** See `QueueOptions`. */
  readonly highWaterMark: number;
}

/** The further resources of a JoinableQueue. */
export interface Joinable {
  /** Notified when the last unfinished item is finished. CPython: `_cond`. */
  readonly condition: Condition;
  /** The number of items that were put and are not finished. CPython: `_unfinished_tasks`. */
  readonly unfinished: SemaphoreHandle;
}

/** The two ends of a pipe. */
export interface PipeEnds {
  readonly reader: Channel;
  readonly writer: Channel;
}

/** The slots of a queue: the semaphore counts those that are free. */
export interface Slots {
  readonly semaphore: SemaphoreHandle;
  /** The number of slots. */
  readonly count: number;
}

interface Fields {
  /** The pipe. CPython: `_reader`, `_writer`. */
  readonly pipe: PipeEnds;
  /** Held by the member that reads. CPython: `_rlock`. */
  readonly rlock: SemaphoreHandle;
  /** Held by the member that writes. CPython: `_wlock`. */
  readonly wlock: SemaphoreHandle;
  /** A SimpleQueue has none. CPython: `_sem`. */
  readonly slots: Slots | undefined;
  readonly joinable: Joinable | undefined;
  /**
   * A pipe whose bytes no member reads: its first byte tells the Node members that the state of the queue has changed.
   * A queue that Python made has none.
   */
  readonly statePipe: PipeEnds | undefined;
  readonly format: ChannelFormat;
  /** How many bytes may wait in a process before `put` makes its caller wait. */
  readonly highWaterMark: number;
}

/** The parameters of a new queue. */
export interface NewQueue {
  /** The number of slots; undefined for a queue without a limit of its own. */
  readonly slots: number | undefined;
  readonly joinable: boolean;
  readonly serialization: unknown;
  readonly highWaterMark: number;
  readonly channel: Pick<ChannelOptions, 'maxMessageBytes' | 'exitFlushMs'>;
}

/** The number of slots for this `maxsize`. As in CPython, a queue without a limit has them too. */
export function slotsFor(maxsize: number): number {
  return maxsize > 0 ? maxsize : SEM_VALUE_MAX;
}

/** Closes the channels of queues that were garbage collected. */
const collected = new FinalizationRegistry<readonly Channel[]>(release);

function release(channels: readonly Channel[]): void {
  for (const channel of channels) channel.removeUser(false);
}

/** The resources of a queue in this process. */
export class QueueResources {
  readonly pipe: PipeEnds;
  readonly rlock: SemaphoreHandle;
  readonly wlock: SemaphoreHandle;
  readonly slots: Slots | undefined;
  readonly joinable: Joinable | undefined;
  readonly statePipe: PipeEnds | undefined;
  readonly format: ChannelFormat;
  readonly highWaterMark: number;
  readonly #channels: readonly Channel[];
  #closed = false;

  /** Takes over the semaphores, and becomes a user of the channels. */
  constructor({ pipe, rlock, wlock, slots, joinable, statePipe, format, highWaterMark }: Fields) {
    this.pipe = pipe;
    this.rlock = rlock.track();
    this.wlock = wlock.track();
    this.slots = slots;
    this.joinable = joinable;
    this.statePipe = statePipe;
    this.format = format;
    this.highWaterMark = highWaterMark;
    this.#channels = [pipe, statePipe].flatMap((ends) => (ends === undefined ? [] : [ends.reader, ends.writer]));
    for (const channel of this.#channels) channel.addUser();
    collected.register(this, this.#channels, this);
  }

  /** Makes the resources of a new queue. If one of them cannot be made, none stays open. */
  static make(queue: NewQueue): QueueResources {
    const { slots, joinable } = queue;
    const bounded = joinable ? 'JoinableQueue' : 'Queue';
    return labelled(slots === undefined ? 'SimpleQueue' : bounded, () => QueueResources.#make(queue));
  }

  static #make({ slots, joinable, serialization, highWaterMark, channel }: NewQueue): QueueResources {
    const opened = new Opened();
    // Other members read from the pipe too, so this one must not read ahead.
    const options = checkOptions({ ...channel, readAhead: false }, false);
    const create = (typeName: SemLockDescriptor['type'], value: number): SemaphoreHandle =>
      opened.semaphore(SemaphoreHandle.create(typeName, value));
    const format = new ChannelFormat(serialization, false);
    try {
      return new QueueResources({
        pipe: opened.pipe(options),
        rlock: create('Lock', 1),
        wlock: create('Lock', 1),
        slots: slots === undefined ? undefined : { semaphore: create('BoundedSemaphore', slots), count: slots },
        joinable: joinable
          ? { condition: opened.condition(new Condition()), unfinished: create('Semaphore', 0) }
          : undefined,
        statePipe: opened.pipe(options),
        format,
        highWaterMark,
      });
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  /** The longest item, in bytes, and the option that decides it. */
  get longest(): readonly [bytes: number, option: string] {
    return [this.pipe.reader.options.maxMessageBytes, 'maxMessageBytes'];
  }

  /** Closes the copies of this object. Threads that still work for the queue have copies of their own. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    collected.unregister(this);
    release(this.#channels);
    const { rlock, wlock, slots, joinable } = this;
    for (const part of [rlock, wlock, slots?.semaphore, joinable?.condition, joinable?.unfinished]) part?.close();
  }

  /** The reduced form of the queue. */
  reduce(type: QueueDescriptor['type'], exporter: Exporter): QueueDescriptor {
    const { pipe, rlock, wlock, slots, joinable, statePipe, format, highWaterMark } = this;
    fixSerialization(format, exporter);
    const end = (channel: Channel): ConnectionDescriptor => reduceChannel(channel, format, exporter);
    const lock = (handle: SemaphoreHandle): SemLockDescriptor => ({
      type: 'Lock',
      semaphore: exporter.semaphore(handle),
    });
    const places: SemLockDescriptor | undefined = slots && {
      type: 'BoundedSemaphore',
      semaphore: exporter.semaphore(slots.semaphore),
      bound: slots.count,
    };
    const unfinished: SemLockDescriptor | undefined = joinable && {
      type: 'Semaphore',
      semaphore: exporter.semaphore(joinable.unfinished),
    };
    return {
      type,
      reader: end(pipe.reader),
      writer: end(pipe.writer),
      rlock: lock(rlock),
      wlock: lock(wlock),
      places,
      condition: joinable && (reduceObject(joinable.condition, exporter) as ConditionDescriptor),
      unfinished,
      // Python queues have no state pipe.
      level:
        exporter.serialization === 'pickle' ? undefined : statePipe && [end(statePipe.reader), end(statePipe.writer)],
      serialization: format.kind ?? exporter.serialization,
      highWaterMark,
    };
  }
}

/** The resources that were opened for a queue so far, to be closed if a later one cannot be opened. */
export class Opened {
  readonly #close: (() => void)[] = [];

  /** Adds a channel, which has no user yet: to close it, this becomes its user and leaves. */
  channel(channel: Channel): Channel {
    this.#close.push(() => {
      channel.addUser();
      channel.removeUser(true);
    });
    return channel;
  }

  pipe(options: ChannelOptions): PipeEnds {
    const [reader, writer] = Channel.pair(false, options);
    return { reader: this.channel(reader), writer: this.channel(writer) };
  }

  semaphore(handle: SemaphoreHandle): SemaphoreHandle {
    this.#close.push(() => handle.close());
    return handle;
  }

  condition(condition: Condition): Condition {
    this.#close.push(() => condition.close());
    return condition;
  }

  /** Adds a queue that was opened for another one. */
  queue<Q extends { close(): void }>(queue: Q): Q {
    this.#close.push(() => queue.close());
    return queue;
  }

  close(): void {
    for (const close of this.#close.splice(0).reverse()) close();
  }
}
