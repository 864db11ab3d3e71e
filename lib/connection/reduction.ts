// SPDX-License-Identifier: MIT
//
// What a Connection is for somebody else: a descriptor, and what this side knows of the stream.
import type { Channel } from './channel.js';
import { checkOptions, narrow, type ConnectionOptions } from './options.js';
import { Connection } from './connection.js';
import { argumentError, BusyError, NotSupported, systemError } from '../core/errors.js';
import { native } from '../native/addon.js';
import { ChannelSerialization } from './channel-format.js';
import type { DescriptorAddress, Giving, Taking } from '../reduction/transfer.js';
import { checkBoolean, checkObject } from '../core/validate.js';

/** A format, as a descriptor says it. */
export type SerializationKind = 'structured' | 'json' | 'pickle' | 'custom';

/** What `describe` makes of a Connection. It is plain JSON. */
export interface ConnectionDescriptor {
  /** The class. */
  readonly type: 'Connection';
  /** The descriptor that it is over. */
  readonly descriptor: DescriptorAddress;
  /** Whether it receives. */
  readonly readable: boolean;
  /** Whether it sends. */
  readonly writable: boolean;
  /** How objects travel over it; `custom` for functions of the user, which cannot be passed on. */
  readonly serialization: SerializationKind;
  /** Its other options, in the units of `ConnectionOptions`. */
  readonly options: ConnectionOptions;
  /** What was read from the stream and not received yet, in base64. */
  readonly held?: string | undefined;
}

const custom =
  'Functions of a custom serialization stay in their process: use bytes, or Connection.fromFd with that option';

/** Stands for a serialisation that did not travel. Bytes can be sent and received all the same. */
const absent = {
  serialize(): never {
    throw new NotSupported(custom);
  },
  deserialize(): never {
    throw new NotSupported(custom);
  },
};

const held = Buffer.allocUnsafeSlow(native.mostHeldBytes);

/** Takes out what was read ahead; it is put back if giving fails. */
function takeHeld(channel: Channel, giving: Giving): string | undefined {
  const size = native.takeHeld(channel.id, held);
  if (size < 0) throw new BusyError('A message of this Connection has been received in part');
  if (size === 0) return undefined;
  const bytes = Buffer.from(held.subarray(0, size));
  giving.onFailure(() => native.putHeld(channel.id, bytes));
  if (!giving.continues) {
    throw new NotSupported(
      `${size} bytes of this Connection were read ahead, which its new owner would miss: pass it before receiving, or make it with readAhead: false`,
    );
  }
  return bytes.toString('base64');
}

/** Decides how objects travel from now on, unless that is decided already. */
export function fixSerialization(serialization: ChannelSerialization, giving: Giving): void {
  if (serialization.fix(giving.serialization) || giving.serialization !== 'pickle') return;
  // JSON and formats of the user's are the user's affair.
  if (serialization.kind !== 'structured') return;
  throw new NotSupported(
    "Python cannot read what is sent over this channel, which was used already: make it with serialization: 'pickle'",
  );
}

/** Takes a Connection apart. From now on nothing is read ahead here. */
export function describeConnection(connection: Connection<never, unknown>, giving: Giving): ConnectionDescriptor {
  const fd = connection.fileno();
  const { channel, serialization, direction } = Connection.partsOf(connection);
  // The rest of a message that was begun would get into those of its new owner.
  if (channel.sender.pending) {
    throw new BusyError('What was sent on this Connection is not written yet: await it before passing it on');
  }
  fixSerialization(serialization, giving);
  const { maxMessageBytes, spinNs, asyncSpinNs, exitFlushMs } = channel.options;
  return {
    type: 'Connection',
    ...direction,
    serialization: serialization.kind ?? giving.serialization,
    options: { maxMessageBytes, spinMicros: spinNs / 1000, asyncSpinMicros: asyncSpinNs / 1000, exitFlushMs },
    held: direction.readable ? takeHeld(channel, giving) : undefined,
    descriptor: giving.descriptor(fd),
  };
}

const serializations: readonly unknown[] = ['structured', 'json', 'pickle', 'custom'];

/** The format that a descriptor names. */
export function attachSerialization(kind: unknown, name: string): ChannelSerialization {
  if (!serializations.includes(kind)) throw argumentError('range', `${name} is not known`);
  return new ChannelSerialization(kind === 'custom' ? absent : kind, false);
}

/** Puts a Connection together. */
export function attachConnection(
  { descriptor, readable, writable, serialization, options, held: rest }: Partial<ConnectionDescriptor>,
  taking: Taking,
  name: string,
): Connection {
  checkObject(descriptor, `${name}.descriptor`);
  checkBoolean(readable, `${name}.readable`);
  checkBoolean(writable, `${name}.writable`);
  checkObject(options, `${name}.options`);
  const codec = attachSerialization(serialization, `${name}.serialization`);
  if (rest !== undefined && typeof rest !== 'string') throw argumentError('type', `${name}.held must be a string`);
  const channelOptions = checkOptions(options, false);
  const fd = taking.descriptor(descriptor);
  const connection = Connection.adopt(fd, codec, channelOptions, (can) => narrow({ readable, writable }, can));
  if (rest === undefined) return connection;
  const status = native.putHeld(Connection.partsOf(connection).channel.id, Buffer.from(rest, 'base64'));
  if (status === 0) return connection;
  connection.close();
  throw systemError(status, 'read');
}
