// SPDX-License-Identifier: MIT
//
// The errors for what the native layer reports of a send, of a receive and of a queue.
import { constants } from 'node:os';

import { native } from '../native/addon.js';
import {
  argumentError,
  BadMessageLength,
  EOFError,
  InterruptedError,
  NotReadable,
  QueueBroken,
  semaphoreError,
  ShutDown,
  systemError,
  TruncatedMessageError,
} from './errors.js';

/** The error for a status of the native layer in a receive on endpoint `id`. */
export function receiveError(status: number, id: number, operation: string, limit: number): Error {
  const codes = native.status;
  switch (status) {
    case codes.endOfFile:
      return new EOFError();
    case codes.truncated: {
      const { received, length } = native.inspect(id);
      return new TruncatedMessageError(received, length);
    }
    case codes.badLength:
    case codes.tooLong:
      return new BadMessageLength(native.inspect(id).length, limit);
    case codes.unreadable:
      return new NotReadable('An earlier failure left this connection unreadable');
    case codes.unexpectedDescriptor:
      return systemError(-constants.errno.EBADMSG, 'recvmsg', 'a descriptor arrived inside a message');
    case codes.noDescriptor:
      return systemError(-constants.errno.EBADMSG, 'recvmsg', 'no descriptor arrived');
    case codes.bufferChanged:
      return argumentError('type', 'buffer was detached or shrunk during the call');
    case codes.interrupted:
      return new InterruptedError(operation);
    default:
      return systemError(status, 'read');
  }
}

/**
 * The error for a status of the native layer in a queue. `syscall` names what failed unless the status is the queue's
 * own.
 */
export function queueError(status: number, syscall: 'read' | 'write'): Error {
  const codes = native.status;
  if (status === codes.queueBroken) return new QueueBroken();
  if (status === codes.shutDown) return new ShutDown();
  if (status === codes.endOfFile) return new EOFError();
  if (status === codes.overflow) return semaphoreError(status, 'sem_post');
  if (status === codes.noThread) return systemError(codes.again, 'pthread_create');
  return systemError(status, syscall);
}

/** The error for a status of the native layer in a send. */
export function sendError(status: number, operation: string): Error {
  const codes = native.status;
  if (status === codes.bufferChanged) return argumentError('type', 'buffer was detached or shrunk during the call');
  if (status === codes.interrupted) return new InterruptedError(operation);
  return systemError(status, 'write');
}
