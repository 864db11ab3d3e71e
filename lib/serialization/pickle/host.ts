// SPDX-License-Identifier: MIT

/** Whether this machine keeps the lowest byte of a number first, as pickles do with whole numbers. */
export const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
