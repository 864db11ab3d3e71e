// SPDX-License-Identifier: MIT
//
// What travels between main.mjs and its workers. The first byte of a message says what it is, and the rest is data, so
// a file of any size is a run of messages and nobody has to hold more than one of them. A worker answers every LAST with
// the SHA-256 digest of the file, 32 bytes. worker.py has the same numbers.

/** A part of a file; more of it follows. */
export const MORE = 0;
/** The last part of a file, which may be empty. */
export const LAST = 1;
/** The file could not be read to its end: what was sent of it is forgotten, and there is no answer. */
export const DROP = 2;

/** The longest message, the first byte included. */
export const MESSAGE_BYTES = 1024 * 1024;
export const DIGEST_BYTES = 32;
