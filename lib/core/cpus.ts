// SPDX-License-Identifier: MIT
import { availableParallelism } from 'node:os';

let oneCpu: boolean | undefined;

/** Whether there is one CPU only, so that spinning would keep the peer from running. */
export function hasOneCpu(): boolean {
  oneCpu ??= availableParallelism() < 2;
  return oneCpu;
}
