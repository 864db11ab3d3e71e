// SPDX-License-Identifier: MIT
//
// Memory in which small messages are gathered, each with its header. The native layer takes them out without a call for each:
// when the sender writes, when the thread is blocked, and when the environment ends. native/io/send_slab.h has the same layout.
import { putBytes } from '../../core/own-bytes.js';
import { perEnvironment } from '../../core/per-environment.js';
import { native } from '../../native/addon.js';

/** The words at the beginning of the memory. */
const END = 0;
const OWNER = 1;
const HEAD_BYTES = 64;

/** All bits of END but the highest, which says that no thread will look at a message that is added: see `put`. */
const POSITION = 0x7fffffff;

const FRAMES_BYTES = 64 * 1024;
const HEADER_BYTES = 4;

/** Longer messages are copied by the native layer, for which one call is less than the copying. */
export const GATHERED_MESSAGE_BYTES = 8 * 1024;

/** Up to this length a loop copies faster than a call. */
const LOOP_BYTES = 32;

/** How many senders of an environment can gather messages at the same time. */
const MOST_SLABS = 16;

const state = perEnvironment('send-slabs', () => ({ slabs: [] as SendSlab[] }));

export class SendSlab {
  readonly #number: number;
  readonly #words: Int32Array;
  readonly #frames: Uint8Array;

  constructor() {
    const memory = new ArrayBuffer(HEAD_BYTES + FRAMES_BYTES);
    this.#number = native.makeSlab(new Uint8Array(memory));
    this.#words = new Int32Array(memory, 0, HEAD_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.#frames = new Uint8Array(memory, HEAD_BYTES);
  }

  get isFree(): boolean {
    return this.#words[OWNER] === 0;
  }

  /** Whether this endpoint has it. Every native call that sends or writes something on the endpoint takes it back. */
  isOf(id: number): boolean {
    return this.#words[OWNER] === id + 1;
  }

  lend(id: number): boolean {
    return this.#number >= 0 && native.lend(id, this.#number) === 0;
  }

  /** Adds a message of the endpoint that has the memory. False if there is no room for it. */
  put(id: number, data: Uint8Array, offset: number, size: number): boolean {
    const frames = this.#frames;
    const start = (this.#words[END] as number) & POSITION;
    const end = start + HEADER_BYTES + size;
    if (end > FRAMES_BYTES) return false;
    frames[start] = 0;
    frames[start + 1] = size >>> 16;
    frames[start + 2] = size >>> 8;
    frames[start + 3] = size;
    if (size <= LOOP_BYTES) {
      for (let i = 0, at = start + HEADER_BYTES; i < size; i++) frames[at++] = data[offset + i] as number;
    } else {
      const whole = size === data.length;
      const bytes = whole ? data : new Uint8Array(data.buffer, data.byteOffset + offset, size);
      putBytes(frames, bytes, start + HEADER_BYTES);
    }
    // The thread that sets the highest bit looks for messages afterwards. So either it sees this one, or the bit was set before.
    if (Atomics.add(this.#words, END, end - start) < 0) this.lend(id);
    return true;
  }
}

/** Memory for the messages of an endpoint, or undefined if all is in use. */
export function takeSlab(id: number): SendSlab | undefined {
  const { slabs } = state;
  let slab = slabs.find((each) => each.isFree);
  if (slab === undefined && slabs.length < MOST_SLABS) slabs.push((slab = new SendSlab()));
  return slab?.lend(id) === true ? slab : undefined;
}
