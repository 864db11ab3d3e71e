// SPDX-License-Identifier: MIT
//
// Short strings. A call of Node for each would take longer than all else that is done for it. So a short string is
// looked for among those of earlier messages, and else cut out of a longer one, which is made for many at once.

/** Longer strings are not kept. Nor could they be cut out: V8 would make them parts that keep the longer string. */
const MOST_BYTES = 12;

/** How many strings are kept. */
const PLACES = 1024;

/** How long the first text is that strings are cut out of, and how long a later one is at most. */
const FIRST_CUT = 256;
const LAST_CUT = 64 * 1024;

const none = Buffer.alloc(0);

const known = new Array<string>(PLACES).fill('');

/** The strings of one message after the other. */
export class Texts {
  #memory: Buffer = none;
  #end = 0;
  /** A part of the message, beginning at `#from`. */
  #text = '';
  #from = 0;
  #size = FIRST_CUT;

  /** Goes on with this message. */
  begin(memory: Buffer, end: number): void {
    this.#memory = memory;
    this.#end = end;
    this.#text = '';
    this.#from = 0;
    this.#size = FIRST_CUT;
  }

  /** A string of Latin-1. */
  latin1(from: number, size: number): string {
    if (size > MOST_BYTES) return this.#memory.toString('latin1', from, from + size);
    const memory = this.#memory;
    let hash = size;
    for (let i = 0; i < size; i++) hash = (Math.imul(hash, 31) + (memory[from + i] as number)) | 0;
    const place = (hash ^ (hash >>> 10)) & (PLACES - 1);
    const found = known[place] as string;
    if (found.length === size) {
      let i = 0;
      while (i < size && found.charCodeAt(i) === memory[from + i]) i++;
      if (i === size) return found;
    }
    return (known[place] = this.cut(from, size));
  }

  /** The same, for a string that will not be kept as it is, such as a key. */
  cut(from: number, size: number): string {
    let at = from - this.#from;
    if (at < 0 || at + size > this.#text.length) {
      if (size > LAST_CUT) return this.#memory.toString('latin1', from, from + size);
      const end = Math.min(from + Math.max(size, this.#size), this.#end);
      this.#text = this.#memory.toString('latin1', from, end);
      this.#from = from;
      this.#size = Math.min(2 * this.#size, LAST_CUT);
      at = 0;
    }
    return this.#text.substring(at, at + size);
  }
}
