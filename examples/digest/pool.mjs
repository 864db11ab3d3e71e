// SPDX-License-Identifier: MIT
//
// A fixed number of buffers. A caller waits until one is free, which bounds the work in flight.
export class Pool {
  /** @type {Buffer[]} */
  #free;
  /** @type {((memory: Buffer) => void)[]} */
  #waiting = [];

  /** @param {number} count @param {number} bytes */
  constructor(count, bytes) {
    this.#free = Array.from({ length: count }, () => Buffer.allocUnsafeSlow(bytes));
  }

  /** @returns {Promise<Buffer>} */
  async take() {
    return this.#free.pop() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** @param {Buffer} memory */
  give(memory) {
    const first = this.#waiting.shift();
    if (first === undefined) this.#free.push(memory);
    else first(memory);
  }
}
