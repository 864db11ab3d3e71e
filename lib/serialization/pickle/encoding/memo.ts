// SPDX-License-Identifier: MIT

/** Up to so many objects are searched one by one; a Map pays for more only. */
const FEW = 8;

/** The objects that were written, with their memo numbers. */
export class Memo {
  readonly #few: object[] = [];
  readonly #fewIndexes: number[] = [];
  #many: Map<object, number> | undefined;

  /** The memo number of an object; undefined if the object was not written. */
  get(object: object): number | undefined {
    if (this.#many !== undefined) return this.#many.get(object);
    const at = this.#few.indexOf(object);
    return at < 0 ? undefined : this.#fewIndexes[at];
  }

  set(object: object, index: number): void {
    if (this.#many !== undefined) {
      this.#many.set(object, index);
    } else if (this.#few.length < FEW) {
      this.#fewIndexes[this.#few.length] = index;
      this.#few.push(object);
    } else {
      this.#many = new Map(this.#few.map((one, i) => [one, this.#fewIndexes[i] as number]));
      this.#many.set(object, index);
    }
  }

  clear(): void {
    // V8 sets a length by a slow way, also if it is the same.
    if (this.#few.length > 0) this.#few.length = 0;
    this.#many = undefined;
  }
}
