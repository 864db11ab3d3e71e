// SPDX-License-Identifier: MIT
import { availableParallelism } from 'node:os';

let oneCpu: boolean | undefined;

/** Whether spinning would only keep the peer from running. */
export function hasOneCpu(): boolean {
  oneCpu ??= availableParallelism() < 2;
  return oneCpu;
}
