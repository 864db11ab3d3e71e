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
  /** Makes a block without a name, of a file that can grow behind the block. It takes no space of /dev/shm. */
  createGrowing(size: number): number;
  /** Copies from any place of the file of a block, and into it: 0, or a negated errno. */
  readAt(id: number, at: number, into: Uint8Array): number;
  writeAt(id: number, at: number, from: Uint8Array): number;
  /** Gives back what the file has behind the block. */
  shrink(id: number): number;
  detach(buffer: ArrayBuffer): void;
  /** The memory stays mapped for as long as a buffer over it is not detached. */
  close(id: number): void;
}

/** Blocks of shared memory for arrays. A block is named by the ArrayBuffer over it. Negated errnos for failures. */
export interface NativeArrays {
  /** A block of this process that is not in use any more. EAGAIN if there is none. */
  take(size: number): ArrayBuffer | number;
  /** A new block. */
  make(size: number): ArrayBuffer | number;
  /** The block that a message names. ESTALE if the block has been used for something else since. */
  open(file: string, generation: number, word: number, ticket: number): ArrayBuffer | number;
  /** The same for a message that names a block over which there is a buffer. 0, or a negated errno. */
  reopen(buffer: ArrayBuffer, generation: number, word: number, ticket: number): number;
  /**
   * Makes a ticket for a message over an endpoint, with which the ticket ends; -1 for none. ENOSPC if there are too many
   * messages with the block on their ways.
   */
  send(
    buffer: ArrayBuffer,
    endpoint: number,
  ): readonly [folder: string, file: string, generation: number, word: number, ticket: number] | number;
  /** For a message that will not be received. */
  endTicket(file: string, word: number, ticket: number): void;
  /** For all messages of a process that has ended, when none of them will be received any more. */
  endTicketsOf(pid: number): void;
  /** To be called before an endpoint is closed: afterwards, nothing tells whether its peer has gone. */
  closing(endpoint: number): void;
  /** Removes the blocks that are not in use. True if there are none left that only other processes use. */
  trim(): boolean;
}
