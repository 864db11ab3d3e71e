// SPDX-License-Identifier: MIT
//
// How queues that were passed on are rebuilt, over the same pipes and semaphores.
import type { Channel } from '../connection/channel.js';
import { rebuildChannel, rebuildFormat } from '../connection/channel-reduction.js';
import { argumentError } from '../core/errors.js';
import { checkInteger, checkObject } from '../core/validate.js';
import { registerRebuild, rebuildObject } from '../reduction/registry.js';
import type { Importer } from '../reduction/exporters.js';
import { boundOf, rebuildCondition, semaphoreAddress } from '../synchronize/rebuild.js';
import { SemaphoreHandle } from '../synchronize/semaphore-handle.js';
import { JoinableQueue } from './joinable-queue.js';
import { DEFAULT_HIGH_WATER_MARK } from './options.js';
import { LeaseResources, type LeaseQueueDescriptor, type LetterBox } from './lease-resources.js';
import { Opened, QueueResources, type Joinable, type PipeEnds, type Slots } from './queue-resources.js';
import { Queue } from './queue.js';
import { SimpleQueue } from './simple-queue.js';

/** Opens the resources of a queue, one after the other. */
class Opener {
  readonly #fields: Record<string, unknown>;
  readonly #name: string;
  readonly #importer: Importer;
  readonly #opened = new Opened();

  constructor(fields: Record<string, unknown>, name: string, importer: Importer) {
    this.#fields = fields;
    this.#name = name;
    this.#importer = importer;
  }

  /** @param slots Whether the queue has slots. */
  open(slots: boolean, joinable: boolean): QueueResources {
    const format = rebuildFormat(this.#fields['serialization'], `${this.#name}.serialization`);
    const mark = this.#fields['highWaterMark'];
    try {
      return new QueueResources({
        pipe: { reader: this.#channel('reader'), writer: this.#channel('writer') },
        rlock: this.#semaphore('rlock', 'Lock'),
        wlock: this.#semaphore('wlock', 'Lock'),
        slots: slots ? this.#slots() : undefined,
        joinable: joinable ? this.#joinable() : undefined,
        statePipe: this.#statePipe(),
        format,
        highWaterMark: typeof mark === 'number' && mark >= 0 ? mark : DEFAULT_HIGH_WATER_MARK,
      });
    } catch (error) {
      this.#opened.close();
      throw error;
    }
  }

  openLeases(): LeaseResources {
    const { block, places, leaseBytes, deadLetters } = this.#fields as Partial<LeaseQueueDescriptor>;
    const format = rebuildFormat(this.#fields['serialization'], `${this.#name}.serialization`);
    checkObject(block, `${this.#name}.block`);
    if (places !== undefined) checkInteger(places, `${this.#name}.places`, 1);
    checkInteger(leaseBytes, `${this.#name}.leaseBytes`, 1);
    try {
      const ready = this.#ends('ready');
      const freed = this.#ends('freed');
      const letters = deadLetters === undefined ? undefined : this.#letterBox(deadLetters);
      const fd = this.#importer.descriptor(block);
      return new LeaseResources({ block: fd, ready, freed, places, leaseBytes, format, deadLetters: letters }, true);
    } catch (error) {
      this.#opened.close();
      throw error;
    }
  }

  #letterBox(deadLetters: unknown): LetterBox {
    const queue = rebuildObject(deadLetters, `${this.#name}.deadLetters`, this.#importer);
    if (!(queue instanceof Queue)) throw argumentError('type', `${this.#name}.deadLetters must describe a queue`);
    return this.#opened.queue(queue);
  }

  #channel(key: string, reduced = this.#fields[key]): Channel {
    return this.#opened.channel(rebuildChannel(reduced, `${this.#name}.${key}`, this.#importer).channel);
  }

  #semaphore(key: string, type: string): SemaphoreHandle {
    const name = `${this.#name}.${key}`;
    const reduced = this.#fields[key];
    const address = semaphoreAddress(reduced, name);
    if ((reduced as { type?: unknown }).type !== type) throw argumentError('type', `${name} must describe a ${type}`);
    return this.#opened.semaphore(SemaphoreHandle.attach(type, address));
  }

  #slots(): Slots {
    const semaphore = this.#semaphore('places', 'BoundedSemaphore');
    return { semaphore, count: boundOf(this.#fields['places'], `${this.#name}.places`) };
  }

  #joinable(): Joinable {
    const name = `${this.#name}.condition`;
    const rebuildPart = (part: unknown, partName: string): unknown => rebuildObject(part, partName, this.#importer);
    const fields = this.#fields['condition'];
    checkObject(fields, name);
    const rebuilt = rebuildCondition(fields as Record<string, unknown>, name, rebuildPart);
    const condition = this.#opened.condition(rebuilt);
    return { condition, unfinished: this.#semaphore('unfinished', 'Semaphore') };
  }

  #statePipe(): PipeEnds | undefined {
    const ends = this.#fields['level'];
    return ends === undefined || ends === null ? undefined : this.#ends('level');
  }

  #ends(key: string): PipeEnds {
    const ends = this.#fields[key];
    if (!Array.isArray(ends)) throw argumentError('type', `${this.#name}.${key} must be an array`);
    const [reader, writer] = ends as unknown[];
    return { reader: this.#channel(`${key}[0]`, reader), writer: this.#channel(`${key}[1]`, writer) };
  }
}

/** Makes a queue over resources, which are closed if that fails. */
function queueOver<R extends { close(): void }, T>(resources: R, make: (resources: R) => T): T {
  try {
    return make(resources);
  } catch (error) {
    resources.close();
    throw error;
  }
}

registerRebuild(['Queue'], (fields, name, importer) =>
  queueOver(new Opener(fields, name, importer).open(true, false), (resources) => new Queue(resources)),
);
registerRebuild(['JoinableQueue'], (fields, name, importer) => {
  const opener = new Opener(fields, name, importer);
  const resources = fields['block'] === undefined ? opener.open(true, true) : opener.openLeases();
  return queueOver<QueueResources | LeaseResources, JoinableQueue>(resources, (over) => new JoinableQueue(over));
});
registerRebuild(['SimpleQueue'], (fields, name, importer) =>
  queueOver(new Opener(fields, name, importer).open(false, false), (resources) => new SimpleQueue(resources)),
);
