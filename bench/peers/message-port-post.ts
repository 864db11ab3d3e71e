// SPDX-License-Identifier: MIT
import type { MessagePort } from 'node:worker_threads';

import type { Job } from '../job.js';

export type PortMessage = Uint8Array;

/** From this size on, handing over the memory costs less than copying it. */
export const transferFromBytes = 16 * 1024;

export interface Post {
  (message: Buffer): void;
  readonly transfers: boolean;
}

/** Sends by transfer where that costs less: in round trips of large messages, whose memory can go back and forth. */
export function makePost(port: MessagePort, job: Job): Post {
  const transfers = job.mode === 'round-trip' && job.sizeBytes >= transferFromBytes;
  const post = transfers
    ? (message: Buffer) => {
        port.postMessage(message, [message.buffer as ArrayBuffer]);
      }
    : (message: Buffer) => {
        port.postMessage(message);
      };
  return Object.assign(post, { transfers });
}

/** Makes a Buffer again of the Uint8Array that arrives. This is a view, not a copy. */
export function asBuffer(message: PortMessage): Buffer {
  return Buffer.from(message.buffer, message.byteOffset, message.byteLength);
}
