// SPDX-License-Identifier: MIT
//
// The message of an object that a Connection sends.
import { NotSupported } from '../core/errors.js';
import { MessageContext } from '../reduction/attachments.js';
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
  context = new MessageContext(channel.id),
): Uint8Array | OutgoingObjectMessage {
  try {
    const message = encode(value, channel, format, context);
    if (!(message instanceof Uint8Array) || !context.holds) return message;
    return { bytes: ownBytes(message), fds: none, failed: () => context.failed() };
  } catch (error) {
    context.failed();
    throw error;
  }
}

function encode(
  value: unknown,
  { isSocket }: Channel,
  format: ChannelFormat,
  context: MessageContext,
): Uint8Array | OutgoingObjectMessage {
  if (isSocket && (format.kind === undefined || format.kind === 'structured')) {
    const message = makeMessage(value, context);
    format.fix('structured');
    return message;
  }
  try {
    return format.encode(value, context);
  } catch (error) {
    if (isSocket || !(error instanceof NotSupported) || !format.fix('structured')) throw error;
    throw new NotSupported('Objects of this package can be sent over duplex connections only', { cause: error });
  }
}
