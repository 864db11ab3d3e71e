// SPDX-License-Identifier: MIT
import { ChannelFormat } from '../connection/channel-format.js';
import { argumentError, NotSupported } from '../core/errors.js';
import { checkBoolean, checkInteger } from '../core/validate.js';
import { LeaseResources } from './lease-resources.js';
import { checkQueueOptions, joinableQueueNames, type QueueOptions } from './options.js';
import { Queue } from './queue.js';

/** Options of a JoinableQueue. */
export interface JoinableQueueOptions<T = unknown> extends QueueOptions {
  /**
   * Whether an item that was got and not finished, by `taskDone` or its lease, is handed out again when its consumer
   * ends. Such a queue is for Node processes with this package. Default false.
   */
  leases?: boolean | undefined;
  /**
   * How much shared memory the queue has for its items, in bytes, and so also its longest item. It is reserved when the
   * queue is made. If there is no room, `put` waits, as it does for a slot. Needs `leases`. Default 64 MiB.
   */
  leaseBytes?: number | undefined;
  /**
   * How often an item is handed out at most. An item that comes back after that goes to `deadLetters`. Needs `leases`
   * and `deadLetters`. Default: no limit.
   */
  maxDeliveries?: number | undefined;
  /**
   * The queue for items that were handed out too often. They arrive there as this queue had them. It must have the same
   * serialization, and stay open in the consumers. Needs `leases` and `maxDeliveries`.
   */
  deadLetters?: Queue<T> | undefined;
}

const DEFAULT_LEASE_BYTES = 64 * 1024 * 1024;
const MOST_LEASE_BYTES = 2 ** 46;
const MOST_DELIVERIES = 2 ** 31 - 1;

/** Makes the resources of a new queue with leases; undefined if the options, which are checked, do not ask for one. */
export function makeLeases(given: unknown): LeaseResources | undefined {
  const checked = checkQueueOptions(given, joinableQueueNames);
  const options = (typeof given === 'object' ? given : {}) as JoinableQueueOptions;
  if (options.leases !== undefined) checkBoolean(options.leases, 'leases');
  if (options.leases !== true) {
    for (const name of ['leaseBytes', 'maxDeliveries', 'deadLetters'] as const) {
      if (options[name] !== undefined) throw argumentError('type', `${name} needs leases: true`);
    }
    return undefined;
  }
  const { leaseBytes = DEFAULT_LEASE_BYTES, maxDeliveries, deadLetters } = options;
  checkInteger(leaseBytes, 'leaseBytes', 1, MOST_LEASE_BYTES);
  if (maxDeliveries !== undefined) checkInteger(maxDeliveries, 'maxDeliveries', 1, MOST_DELIVERIES);
  if ((maxDeliveries === undefined) !== (deadLetters === undefined)) {
    throw argumentError('type', 'maxDeliveries and deadLetters need each other: give both or none');
  }
  if (deadLetters !== undefined && !(deadLetters instanceof Queue)) {
    throw argumentError('type', 'deadLetters must be a Queue or a JoinableQueue');
  }
  return LeaseResources.make({
    places: checked.maxsize > 0 ? checked.maxsize : undefined,
    leaseBytes,
    maxDeliveries: maxDeliveries ?? 0,
    format: formatFor(checked.serialization, deadLetters),
    deadLetters,
    channel: checked.channel,
  });
}

/** Items are moved to the dead letters as bytes, so both queues have one format. */
function formatFor(serialization: unknown, deadLetters: Queue | undefined): ChannelFormat {
  const format = new ChannelFormat(serialization, false);
  if (format.kind === 'pickle') {
    throw new NotSupported(
      'A queue with leases is for Node processes: leave out serialization, or choose structured, json, or functions',
    );
  }
  if (deadLetters === undefined) return format;
  const theirs = deadLetters.format;
  const kind = format.kind ?? theirs.kind ?? 'structured';
  if (kind === 'structured' || kind === 'json') {
    format.fix(kind);
    theirs.fix(kind);
  }
  if (kind !== 'pickle' && format.kind === theirs.kind) return format;
  throw argumentError('type', 'deadLetters must have the serialization of the queue itself');
}
