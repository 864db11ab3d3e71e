// SPDX-License-Identifier: MIT
//
// Reads messages with the deserialiser of Node: those with rare kinds of values, and those that are no messages.
import type { DefaultDeserializer } from 'node:v8';

import { STAND_IN } from '../tags.js';
import { nodeV8 } from '../v8.js';
import { makeArray } from './arrays.js';

/** Finds the object that a number stands for. */
export type FindStandIn = (number: number) => unknown;

type Reader = new (message: Uint8Array, keep: boolean, find: FindStandIn | undefined) => DefaultDeserializer;

let Reader: Reader | undefined;

function loadReader(): Reader {
  const { DefaultDeserializer } = nodeV8();
  return class extends DefaultDeserializer {
    readonly #message: Uint8Array;
    readonly #keep: boolean;
    readonly #find: FindStandIn | undefined;

    constructor(message: Uint8Array, keep: boolean, find: FindStandIn | undefined) {
      super(message);
      this.#message = message;
      this.#keep = keep;
      this.#find = find;
    }

    /** In the place of the method of Node, which makes views of the message. */
    _readHostObject(): unknown {
      const type = this.readUint32();
      const number = this.readUint32();
      if (type === STAND_IN && this.#find !== undefined) return this.#find(number);
      const bytes = this.readRawBytes(number);
      const from = bytes.byteOffset - this.#message.byteOffset;
      const array = makeArray(type, this.#message, from, number, this.#keep);
      if (array === undefined) throw new TypeError(`there is no array of type ${type} here`);
      return array;
    }
  };
}

/** Decodes a message, which must not be in memory that is used again unless `keep` is false. */
export function readWithV8(message: Uint8Array, keep: boolean, find: FindStandIn | undefined): unknown {
  const reader = new (Reader ??= loadReader())(message, keep, find);
  reader.readHeader();
  return reader.readValue();
}
