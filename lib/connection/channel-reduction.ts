// SPDX-License-Identifier: MIT
//
// The reduced form of a Connection, or of an end of a queue's pipe: its descriptor, its options, and the bytes that
// this side has read ahead.
import { Channel } from './channel.js';
import { checkOptions, narrow, type ConnectionOptions } from './options.js';
import { argumentError, BusyError, NotSupported, systemError } from '../core/errors.js';
import { native } from '../native/addon.js';
import { ChannelFormat } from './channel-format.js';
import type { DescriptorAddress, Exporter, Importer } from '../reduction/exporters.js';
import { checkBoolean, checkObject } from '../core/validate.js';

/** The name of a serialization in a descriptor. */
export type SerializationKind = 'structured' | 'json' | 'pickle' | 'custom';

/** The result of `describe` for a Connection. It is plain JSON. */
export interface ConnectionDescriptor {
  /** The class. */
  readonly type: 'Connection';
  /** The address of its descriptor. */
  readonly descriptor: DescriptorAddress;
  /** Whether it receives. */
  readonly readable: boolean;
  /** Whether it sends. */
  readonly writable: boolean;
  /** How objects are serialised; `custom` for functions of the user, which cannot be passed on. */
  readonly serialization: SerializationKind;
  /** Its other options, in the units of `ConnectionOptions`. */
  readonly options: ConnectionOptions;
  /** Whether the kernel's buffer of the descriptor is enlarged for large messages, as for all ends of a `Pipe()`. */
  readonly growsBuffer: boolean;
  /** Whether the new owner may read ahead once the process that passed the descriptor on has closed its copy. */
  readonly heir?: boolean | undefined;
  /** The bytes that were read ahead and not received yet, in base64. */
  readonly held?: string | undefined;
}

const custom =
  'The functions of a custom serialization cannot be passed on: use bytes, or Connection.fromFd with that option';

/** Stands for a custom serialization, which could not be passed on. Bytes can still be sent and received. */
const absent = {
  serialize(): never {
    throw new NotSupported(custom);
  },
  deserialize(): never {
    throw new NotSupported(custom);
  },
};

const held = Buffer.allocUnsafeSlow(native.mostHeldBytes);

/** Takes the read-ahead bytes out of the channel. They are put back if the Connection is not passed on after all. */
function removeHeld(channel: Channel, exporter: Exporter): string | undefined {
  const { receiver, id } = channel;
  receiver.giveBack();
  const size = receiver.keepsMessage ? -1 : native.takeHeld(id, held);
  if (size < 0)
    throw new BusyError('This Connection has received a message in part: receive the rest before passing it on');
  if (size === 0) return undefined;
  const bytes = Buffer.from(held.subarray(0, size));
  exporter.onFailure(() => native.putHeld(id, bytes));
  if (!exporter.continues) {
    throw new NotSupported(
      `${size} bytes of this Connection were read ahead and would be missing for the new owner: ` +
        'pass it on before receiving, or make it with readAhead: false',
    );
  }
  return bytes.toString('base64');
}

/** Fixes the serialization, unless it was fixed before. */
export function fixSerialization(format: ChannelFormat, exporter: Exporter): void {
  if (format.fix(exporter.serialization) || exporter.serialization !== 'pickle') return;
  // With JSON or a custom serialization, the user makes sure that Python can read the messages.
  if (format.kind !== 'structured') return;
  throw new NotSupported(
    "This channel already uses a serialization that Python cannot read: make it with serialization: 'pickle'",
  );
}

/** The reduced form of a Connection over this channel. From then on nothing is read ahead here. */
export function reduceChannel(channel: Channel, format: ChannelFormat, exporter: Exporter): ConnectionDescriptor {
  const fd = channel.passOn(exporter.toOneProcess);
  // The unwritten rest of a message would end up between the messages of the new owner.
  if (channel.sender.pending) {
    throw new BusyError('Sends on this Connection are not written yet: await them before passing it on');
  }
  fixSerialization(format, exporter);
  const { direction } = channel;
  const { maxMessageBytes, spinNs, asyncSpinNs, exitFlushMs, growsBuffer, views, acceptedBytes } = channel.options;
  return {
    type: 'Connection',
    ...direction,
    serialization: format.kind ?? exporter.serialization,
    options: {
      takesConnections: format.takesConnections,
      maxMessageBytes,
      spinMicros: spinNs / 1000,
      asyncSpinMicros: asyncSpinNs / 1000,
      exitFlushMs,
      views,
      ...(acceptedBytes > 0 ? { sends: 'accepted', sendBuffer: acceptedBytes } : {}),
    },
    growsBuffer,
    heir: direction.readable && channel.hasHeir,
    held: direction.readable ? removeHeld(channel, exporter) : undefined,
    descriptor: exporter.descriptor(fd),
  };
}

const serializations: readonly unknown[] = ['structured', 'json', 'pickle', 'custom'];

/** The format that a reduced form names. */
export function rebuildFormat(kind: unknown, name: string, takesConnections?: boolean): ChannelFormat {
  if (!serializations.includes(kind))
    throw argumentError('range', `${name} must be one of ${serializations.join(', ')}`);
  return new ChannelFormat(kind === 'custom' ? absent : kind, false, takesConnections);
}

/** Rebuilds a channel. It has no user yet. */
export function rebuildChannel(
  reduced: unknown,
  name: string,
  importer: Importer,
): { readonly channel: Channel; readonly format: ChannelFormat } {
  checkObject(reduced, name);
  const fields = reduced as Partial<ConnectionDescriptor>;
  const { descriptor, readable, writable, options, growsBuffer = false, heir = false, held: rest } = fields;
  checkObject(descriptor, `${name}.descriptor`);
  checkBoolean(readable, `${name}.readable`);
  checkBoolean(writable, `${name}.writable`);
  checkObject(options, `${name}.options`);
  if (rest !== undefined && typeof rest !== 'string') throw argumentError('type', `${name}.held must be a string`);
  checkBoolean(growsBuffer, `${name}.growsBuffer`);
  checkBoolean(heir, `${name}.heir`);
  const channelOptions = checkOptions(options, false, growsBuffer);
  const format = rebuildFormat(fields.serialization, `${name}.serialization`, options.takesConnections);
  const fd = importer.descriptor(descriptor);
  let channel: Channel;
  try {
    channel = Channel.adopt(fd, channelOptions, (can) => narrow({ readable, writable }, can));
  } catch (error) {
    // Otherwise it is that of another channel.
    if (!(error instanceof BusyError)) native.closeDescriptor(fd);
    throw error;
  }
  const status = rest === undefined ? 0 : native.putHeld(channel.id, Buffer.from(rest, 'base64'));
  if (heir) channel.readAheadOnceAlone();
  if (status === 0) return { channel, format };
  channel.addUser();
  channel.removeUser(true);
  throw systemError(status, 'read');
}
