// SPDX-License-Identifier: MIT
import type { markAsUntransferable } from 'node:worker_threads';

let mark: typeof markAsUntransferable | undefined;

/**
 * Since Node 24 a buffer that is marked as untransferable cannot be detached any more, not even by Node itself at the end
 * of its thread: that ends the process.
 */
function findMark(): typeof markAsUntransferable {
  const { markAsUntransferable: found } = process.getBuiltinModule('node:worker_threads');
  const probe = new ArrayBuffer(1) as ArrayBuffer & { transfer?: () => ArrayBuffer };
  found(probe);
  try {
    probe.transfer?.();
    return found;
  } catch {
    return () => undefined;
  }
}

/** Keeps a buffer in its thread, if Node can: another one could have it for longer than this one has the memory mapped. */
export function keepInThread(buffer: ArrayBuffer): void {
  (mark ??= findMark())(buffer);
}
