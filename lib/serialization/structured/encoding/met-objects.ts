// SPDX-License-Identifier: MIT

/** Up to so many objects are found by comparing, which takes less time than a Set does. */
const FEW = 16;

/** The objects of a message, by their numbers: each is written once. */
export class MetObjects {
  readonly #few = new Array<object | undefined>(FEW).fill(undefined);
  #count = 0;
  /** All of them, once they are many. Most values contain no object twice, and a Set takes half the time of a Map. */
  #many: Set<object> | undefined;
  /** The numbers of all of them, once one was met again. */
  #numbers: Map<object, number> | undefined;

  /** The number of an object that was met before; -1 for a new one, which gets the next number. */
  find(object: object): number {
    const count = this.#count;
    if (count <= FEW) {
      const few = this.#few;
      for (let i = 0; i < count; i++) if (few[i] === object) return i;
      if (count < FEW) {
        few[count] = object;
        this.#count = count + 1;
        return -1;
      }
      this.#many = new Set(few as object[]);
    }
    return this.#findAmongMany(object);
  }

  /** Forgets all objects. */
  clear(): void {
    const used = Math.min(this.#count, FEW);
    for (let i = 0; i < used; i++) this.#few[i] = undefined;
    this.#count = 0;
    this.#many = this.#numbers = undefined;
  }

  #findAmongMany(object: object): number {
    if (this.#numbers === undefined) {
      const many = this.#many as Set<object>;
      if (many.add(object).size > this.#count) {
        this.#count++;
        return -1;
      }
      let number = 0;
      this.#numbers = new Map();
      for (const met of many) this.#numbers.set(met, number++);
      this.#many = undefined;
    }
    const number = this.#numbers.get(object);
    if (number !== undefined) return number;
    this.#numbers.set(object, this.#count++);
    return -1;
  }
}
