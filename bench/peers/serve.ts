// SPDX-License-Identifier: MIT
import type { Job } from '../job.js';

/**
 * Answers messages as every event-driven child does: echoes a message, or counts it and acknowledges each batch with
 * one byte.
 *
 * @param post Sends one message back.
 */
export function answering(job: Job, post: (message: Buffer) => void): (message: Buffer) => void {
  if (job.mode === 'round-trip') return post;
  const acknowledgement = Buffer.from(Uint8Array.of(1));
  let received = 0;
  return () => {
    received++;
    if (received === job.batch) {
      received = 0;
      post(acknowledgement);
    }
  };
}
