// SPDX-License-Identifier: MIT
//
// What the addon exports for shared memory. The rules are those of addon.ts.

/** Blocks of shared memory, by ids of their own. */
export interface NativeMemory {
  /** Makes a block, of which all bytes are reserved: under a name with a slash, or without one if `name` is empty. */
  create(name: string, size: number): number;
  open(name: string): number;
  /** The descriptor belongs to the block from now on, unless this fails. */
  adopt(fd: number): number;
  unlink(name: string): number;
  size(id: number): number;
  fd(id: number): number;
  /** To be called once for each id. A negated errno where the runtime refuses memory that is not its own. */
  view(id: number): ArrayBuffer | number;
  /** A negated errno where the runtime cannot make one. */
  viewShared(id: number): SharedArrayBuffer | number;
  /** Copies from a block, or into it. Returns how many bytes. */
  read(id: number, offset: number, into: Uint8Array): number;
  write(id: number, offset: number, from: Uint8Array): number;
  detach(buffer: ArrayBuffer): void;
  /** The memory stays mapped for as long as a buffer over it is not detached. */
  close(id: number): void;
}
