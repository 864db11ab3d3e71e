// SPDX-License-Identifier: MIT
//
// The function of the workers.
import { createHash } from 'node:crypto';

/**
 * @param {{ name: string, bytes: Uint8Array }} piece
 * @returns {{ name: string, digest: string, host: string | undefined }}
 */
export function digest({ name, bytes }) {
  return { name, digest: createHash('sha256').update(bytes).digest('hex'), host: process.env['HOST'] };
}
