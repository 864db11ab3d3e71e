// SPDX-License-Identifier: MIT
//
// The resources of a queue with leases: a block of shared memory that has the items, and two pipes that wake its members.
import { constants } from 'node:os';

import type { Channel } from '../connection/channel.js';
import type { ChannelFormat } from '../connection/channel-format.js';
import {
  fixSerialization,
  reduceChannel,
  type ConnectionDescriptor,
  type SerializationKind,
} from '../connection/channel-reduction.js';
import { checkOptions, type ChannelOptions } from '../connection/options.js';
import { NotSupported, systemError } from '../core/errors.js';
import { hasMemory } from '../core/available-memory.js';
import { leaseBlockError } from '../core/lease-errors.js';
import { native } from '../native/addon.js';
import { reduceObject, type Reducible } from '../reduction/registry.js';
import type { DescriptorAddress, Exporter } from '../reduction/exporters.js';
import { Opened, type PipeEnds } from './queue-resources.js';

/** The result of `describe` for a JoinableQueue with leases. It is plain JSON. */
export interface LeaseQueueDescriptor {
  /** The class. */
  readonly type: 'JoinableQueue';
  /** The shared memory. */
  readonly block: DescriptorAddress;
  /** The pipe that wakes consumers: reader, then writer. */
  readonly ready: readonly [ConnectionDescriptor, ConnectionDescriptor];
  /** The pipe that wakes producers, and `join`: reader, then writer. */
  readonly freed: readonly [ConnectionDescriptor, ConnectionDescriptor];
  /** The most items that were put and not handed out; undefined for no limit. */
  readonly places?: number | undefined;
  /** See `JoinableQueueOptions`. */
  readonly leaseBytes: number;
  /** The description of the queue for items that were handed out too often. */
  readonly deadLetters?: unknown;
  /** How items are serialised; `custom` for functions of the user, which cannot be passed on. */
  readonly serialization: SerializationKind;
}

/** The queue for dead letters, as far as it is used here. */
export interface LetterBox extends Reducible {
  readonly closed: boolean;
  /** Puts an item that is serialised. Resolves when no death of this process can lose it. */
  putSerialized(bytes: Uint8Array): Promise<void>;
  close(): void;
}

/** What exists once per queue. */
export interface LeaseParts {
  readonly block: number;
  readonly ready: PipeEnds;
  readonly freed: PipeEnds;
  readonly places: number | undefined;
  readonly leaseBytes: number;
  readonly format: ChannelFormat;
  readonly deadLetters: LetterBox | undefined;
}

/** The parameters of a new queue with leases. */
export interface NewLeaseQueue {
  readonly places: number | undefined;
  readonly leaseBytes: number;
  readonly maxDeliveries: number;
  readonly format: ChannelFormat;
  readonly deadLetters: LetterBox | undefined;
  readonly channel: Pick<ChannelOptions, 'maxMessageBytes' | 'exitFlushMs'>;
}

interface Held {
  readonly channels: readonly Channel[];
  /** The descriptor of the block; -1 once it belongs to a member. */
  block: number;
}

/** The descriptor of a new block. */
function makeBlock(leaseBytes: number, places: number, maxDeliveries: number): number {
  const block = hasMemory(leaseBytes)
    ? native.leases.create(leaseBytes, places, maxDeliveries)
    : -constants.errno.ENOSPC;
  if (block < 0) throw leaseBlockError(block, leaseBytes);
  return block;
}

/** Closes what queues had that were garbage collected. */
const collected = new FinalizationRegistry<Held>(release);

function release({ channels, block }: Held): void {
  for (const channel of channels) channel.removeUser(false);
  if (block >= 0) native.closeDescriptor(block);
}

/** The resources of a queue with leases in this process. */
export class LeaseResources {
  readonly block: number;
  readonly ready: PipeEnds;
  readonly freed: PipeEnds;
  readonly slots: { readonly count: number } | undefined;
  readonly leaseBytes: number;
  readonly format: ChannelFormat;
  readonly deadLetters: LetterBox | undefined;
  /** Nothing waits in this process to be written. */
  readonly highWaterMark = Infinity;
  readonly #ownsDeadLetters: boolean;
  readonly #held: Held;
  #closed = false;

  /**
   * Takes over the descriptor of the block, and becomes a user of the channels.
   *
   * @param ownsDeadLetters Whether the queue for dead letters was made for this one, and is closed with it.
   */
  constructor(parts: LeaseParts, ownsDeadLetters: boolean) {
    const { block, ready, freed, places, leaseBytes, format, deadLetters } = parts;
    this.block = block;
    this.ready = ready;
    this.freed = freed;
    this.slots = places === undefined ? undefined : { count: places };
    this.leaseBytes = leaseBytes;
    this.format = format;
    this.deadLetters = deadLetters;
    this.#ownsDeadLetters = ownsDeadLetters;
    const channels = [ready, freed].flatMap(({ reader, writer }) => [reader, writer]);
    this.#held = { channels, block };
    for (const channel of channels) channel.addUser();
    collected.register(this, this.#held, this);
  }

  /** Makes the resources of a new queue. If one of them cannot be made, none stays open. */
  static make({ places, leaseBytes, maxDeliveries, format, deadLetters, channel }: NewLeaseQueue): LeaseResources {
    const opened = new Opened();
    const options = checkOptions({ ...channel, readAhead: false }, false);
    try {
      const ready = opened.pipe(options);
      const freed = opened.pipe(options);
      const block = makeBlock(leaseBytes, places ?? 0, maxDeliveries);
      return new LeaseResources({ block, ready, freed, places, leaseBytes, format, deadLetters }, false);
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  /** The longest item, in bytes, and the option that decides it. */
  get longest(): readonly [bytes: number, option: string] {
    const { maxMessageBytes } = this.ready.reader.options;
    return maxMessageBytes < this.leaseBytes ? [maxMessageBytes, 'maxMessageBytes'] : [this.leaseBytes, 'leaseBytes'];
  }

  /** Makes this environment a member. Returns the id of the member, which has the descriptor of the block then. */
  join(): number {
    const { block, ready, freed } = this;
    const { threadId } = process.getBuiltinModule('node:worker_threads');
    const id = native.leases.open(block, ready.reader.id, ready.writer.id, freed.reader.id, freed.writer.id, threadId);
    if (id < 0) throw systemError(id, 'mmap', 'the shared memory of a queue with leases');
    this.#held.block = -1;
    return id;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    collected.unregister(this);
    release(this.#held);
    if (this.#ownsDeadLetters) this.deadLetters?.close();
  }

  /** The reduced form of the queue. */
  reduce(exporter: Exporter): LeaseQueueDescriptor {
    if (!exporter.recorded || exporter.serialization === 'pickle') {
      throw new NotSupported(
        'A queue with leases is for Node processes that use this package: pass it to a Process, ' +
          'or describe it with { nodeOnly: true }',
      );
    }
    const { block, ready, freed, slots, leaseBytes, format, deadLetters } = this;
    fixSerialization(format, exporter);
    const ends = ({ reader, writer }: PipeEnds): [ConnectionDescriptor, ConnectionDescriptor] => [
      reduceChannel(reader, format, exporter),
      reduceChannel(writer, format, exporter),
    ];
    return {
      type: 'JoinableQueue',
      ready: ends(ready),
      freed: ends(freed),
      block: exporter.descriptor(block),
      places: slots?.count,
      leaseBytes,
      deadLetters: deadLetters && reduceObject(deadLetters, exporter),
      serialization: format.kind ?? exporter.serialization,
    };
  }
}
