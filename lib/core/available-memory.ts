// SPDX-License-Identifier: MIT
import { freemem } from 'node:os';

/**
 * Whether so many bytes can be reserved. Memory without a name has no limit of its own: where there is less, the system
 * would end processes for it.
 */
export function hasMemory(bytes: number): boolean {
  const { availableMemory } = process as { availableMemory?: () => number };
  return bytes <= (availableMemory?.() ?? freemem());
}
