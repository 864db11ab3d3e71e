// SPDX-License-Identifier: MIT
//
// Errors with a cause in V8's format. Versions of V8 differ in where they write the cause, and the newer ones read it
// behind the stack only. So such an error is serialised as one without a stack, whose message is a marker. Then the
// message and the stack take the place of the marker, in front of the cause, which all versions read.

/** The tags of a message and of a stack inside of an error. */
const MESSAGE = 0x6d;
const STACK = 0x73;

/** V8's length of a number: seven bits in each byte, the lowest first, with the eighth set in all but the last. */
function lengthBytes(length: number): Buffer {
  const bytes: number[] = [];
  let left = length;
  for (; left >= 0x80; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return Buffer.from(bytes);
}

/** A string with its tag, in one byte for each character if that suffices. */
function stringBytes(tag: number, text: string): Buffer {
  const narrow = /^[\0-\xff]*$/.test(text);
  const content = Buffer.from(text, narrow ? 'latin1' : 'utf16le');
  return Buffer.concat([Buffer.of(tag, narrow ? 0x22 : 0x63), lengthBytes(content.length), content]);
}

/** The text that V8 writes as the message: that of an own property which is no getter. */
function messageOf(error: object): string | undefined {
  const message = Object.getOwnPropertyDescriptor(error, 'message');
  return message !== undefined && 'value' in message ? String(message.value) : undefined;
}

/** Stands in for errors while a value is serialised, and puts their texts into the bytes afterwards. */
export class ErrorTexts {
  readonly #prefix: string;
  readonly #texts = new Map<string, Buffer>();

  /** @param prefix Random characters that no other string of the value begins with. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** An error to serialise in the place of this one. Its cause is yet to be set. */
  standIn(error: object): Error {
    const { name, stack } = error as Partial<Error>;
    // An error of the platform has its message in a getter.
    const message = messageOf(error) ?? (error instanceof DOMException ? error.message : undefined);
    const text = Buffer.concat([
      message === undefined ? Buffer.alloc(0) : stringBytes(MESSAGE, message),
      typeof stack === 'string' ? stringBytes(STACK, stack) : Buffer.alloc(0),
    ]);
    const number = this.#prefix + this.#texts.size.toString(36).padStart(6, '0');
    // Strings of two bytes per character, behind it, stay aligned.
    const marker = (text.length - number.length - 3) % 2 === 0 ? number : `${number}-`;
    this.#texts.set(marker, text);
    const copy = new Error(marker);
    Object.defineProperty(copy, 'name', { value: name });
    Object.defineProperty(copy, 'stack', { value: undefined });
    return copy;
  }

  /** The bytes with the texts in them. */
  insert(bytes: Buffer): Buffer {
    if (this.#texts.size === 0) return bytes;
    const places: [from: number, to: number, text: Buffer][] = [];
    for (const [marker, text] of this.#texts) {
      const at = bytes.indexOf(marker, 0, 'latin1');
      // In front of it are the tags of a message and of a string, and the length.
      if (at >= 0) places.push([at - 3, at + marker.length, text]);
    }
    places.sort(([a], [b]) => a - b);
    const parts: Buffer[] = [];
    let end = 0;
    for (const [from, to, text] of places) {
      parts.push(bytes.subarray(end, from), text);
      end = to;
    }
    return Buffer.concat([...parts, bytes.subarray(end)]);
  }
}
