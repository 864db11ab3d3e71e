// SPDX-License-Identifier: MIT
//
// The message of an object that a Connection sends.
import { NotSupported } from '../core/errors.js';
import { collectHolds, hasSharedViews, type Hold } from '../reduction/shared-views.js';
import { ownBytes } from '../serialization/structured/encoding/output.js';
import type { Channel } from './channel.js';
import type { ChannelFormat } from './channel-format.js';
import { makeMessage, type OutgoingObjectMessage } from './object-message.js';

const none: readonly number[] = [];

/** The message of an object, one with descriptors if objects of this package are in it. */
export function encodeMessage(
  value: unknown,
  channel: Channel,
  format: ChannelFormat,
): Uint8Array | OutgoingObjectMessage {
  if (!hasSharedViews()) return encode(value, channel, format);
  const holds: Hold[] = [];
  const message = collectHolds(holds, () => encode(value, channel, format), channel.id);
  if (!(message instanceof Uint8Array) || holds.length === 0) return message;
  const failed = (): void => {
    for (const end of holds) end();
  };
  return { bytes: ownBytes(message), fds: none, failed };
}

function encode(value: unknown, { isSocket }: Channel, format: ChannelFormat): Uint8Array | OutgoingObjectMessage {
  if (isSocket && (format.kind === undefined || format.kind === 'structured')) {
    const message = makeMessage(value);
    format.fix('structured');
    return message;
  }
  try {
    return format.encode(value);
  } catch (error) {
    if (isSocket || !(error instanceof NotSupported) || !format.fix('structured')) throw error;
    throw new NotSupported('Objects of this package can be sent over duplex connections only', { cause: error });
  }
}
