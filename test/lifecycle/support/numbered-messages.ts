// SPDX-License-Identifier: MIT
import { expect } from 'chai';

/**
 * Message number `index` of a stream: its number at both ends, and a filling that differs from that of its neighbours.
 */
export function numbered(index: number, size: number): Buffer {
  const message = Buffer.alloc(size, index & 0xff);
  message.writeUInt32BE(index, 0);
  message.writeUInt32BE(index, size - 4);
  return message;
}

/** Asserts that nothing is missing from, added to or changed in message number `index`. */
export function expectNumbered(message: Buffer, index: number, size: number): void {
  expect(message.length, `length of message ${index}`).to.equal(size);
  expect(message.equals(numbered(index, size)), `bytes of message ${index}`).to.be.true;
}
