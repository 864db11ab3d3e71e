// SPDX-License-Identifier: MIT
import { DefaultDeserializer } from 'node:v8';

import { isNearlyAll } from '../core/own-bytes.js';

/**
 * Gives each array an ArrayBuffer of its own. Node makes views of the message: transferring one of them would empty the
 * others, and a small one that is kept would keep the whole message.
 */
export class OwningDeserializer extends DefaultDeserializer {
  readonly #keep: boolean;

  /** @param keep Whether an array that is nearly the whole message may keep the memory of the message. */
  constructor(bytes: Uint8Array, keep: boolean) {
    super(bytes);
    this.#keep = keep;
  }

  _readHostObject(): unknown {
    const base = DefaultDeserializer.prototype as unknown as { _readHostObject(): ArrayBufferView };
    const view = base._readHostObject.call(this);
    const { buffer, byteOffset, byteLength } = view;
    if (this.#keep && isNearlyAll(byteLength, buffer.byteLength)) return view;
    const bytes = new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
    if (view instanceof Buffer) return Buffer.from(bytes.buffer);
    const Type = view.constructor as new (buffer: ArrayBuffer) => ArrayBufferView;
    return new Type(bytes.buffer);
  }
}
