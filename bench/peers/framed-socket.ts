// SPDX-License-Identifier: MIT
import type { Socket } from 'node:net';

const headerBytes = 4;

/**
 * CPython's framing over a `net.Socket`, with as little copying as the stream API allows.
 *
 * Sending: header and payload are corked, so that they leave in one writev and the payload is not copied. Receiving: a
 * message that lies whole in one chunk is delivered as a view of it. A longer message is gathered into one buffer of
 * its size.
 */
export class FramedSocket {
  readonly #socket: Socket;
  readonly #received: (message: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);
  #body: Buffer | undefined;
  #filled = 0;

  constructor(socket: Socket, received: (message: Buffer) => void) {
    this.#socket = socket;
    this.#received = received;
    socket.on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
  }

  readonly #uncork = (): void => {
    this.#socket.uncork();
  };

  /** False when the socket's buffer is full and the caller should wait for `drained`. */
  send(payload: Buffer): boolean {
    const header = Buffer.allocUnsafe(headerBytes);
    header.writeInt32BE(payload.length);
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      process.nextTick(this.#uncork);
    }
    this.#socket.write(header);
    return this.#socket.write(payload);
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.writableNeedDrain) this.#socket.once('drain', resolve);
      else resolve();
    });
  }

  #take(chunk: Buffer): void {
    let at = 0;
    if (this.#body) {
      at = Math.min(chunk.length, this.#body.length - this.#filled);
      this.#fill(this.#body, chunk, 0, at);
    } else if (this.#rest.length > 0) {
      chunk = Buffer.concat([this.#rest, chunk]);
      this.#rest = Buffer.alloc(0);
    }
    while (chunk.length - at >= headerBytes) {
      const size = chunk.readInt32BE(at);
      at += headerBytes;
      if (chunk.length - at >= size) {
        this.#received(chunk.subarray(at, at + size));
        at += size;
        continue;
      }
      this.#body = Buffer.allocUnsafeSlow(size);
      this.#filled = 0;
      this.#fill(this.#body, chunk, at, chunk.length);
      return;
    }
    if (at < chunk.length) this.#rest = chunk.subarray(at);
  }

  #fill(body: Buffer, chunk: Buffer, start: number, end: number): void {
    chunk.copy(body, this.#filled, start, end);
    this.#filled += end - start;
    if (this.#filled < body.length) return;
    this.#body = undefined;
    this.#received(body);
  }
}
