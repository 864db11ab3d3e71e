// SPDX-License-Identifier: MIT
//
// A fixed number of buffers. Whoever needs one waits until one is back, which is what bounds the work in flight.
export class Pool {
  /** @type {Buffer[]} */
  #free;
  /** @type {{ resolve(memory: Buffer): void, reject(error: unknown): void }[]} */
  #waiting = [];
  /** @type {{ error: unknown } | undefined} */
  #failure;

  /** @param {number} count @param {number} bytes */
  constructor(count, bytes) {
    this.count = count;
    this.#free = Array.from({ length: count }, () => Buffer.allocUnsafeSlow(bytes));
  }

  /** @returns {Promise<Buffer>} */
  async take() {
    if (this.#failure !== undefined) throw this.#failure.error;
    const memory = this.#free.pop();
    return memory ?? new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** @param {Buffer} memory */
  give(memory) {
    const first = this.#waiting.shift();
    if (first === undefined) this.#free.push(memory);
    else first.resolve(memory);
  }

  /** A buffer will not come back: everybody who waits for one, or asks from now on, is told why. @param {unknown} error */
  fail(error) {
    this.#failure ??= { error };
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** Waits until all buffers are back. */
  async takeAll() {
    for (let i = 0; i < this.count; i++) await this.take();
  }
}
