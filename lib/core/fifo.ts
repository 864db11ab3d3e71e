// SPDX-License-Identifier: MIT

/** A first-in, first-out list. The cost of adding and removing does not depend on its length. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    if (this.#head < this.#items.length) this.#head++;
    // The rest moves down only when half of the array is used up, so the cost per item is constant.
    if (this.#head > 32 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    } else if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    }
    return item;
  }

  /** The number of items before this one, or -1. */
  indexOf(item: T): number {
    const index = this.#items.indexOf(item, this.#head);
    return index < 0 ? -1 : index - this.#head;
  }

  remove(item: T): void {
    const index = this.indexOf(item);
    if (index >= 0) this.#items.splice(this.#head + index, 1);
  }

  /** Removes all items, or those that match, and returns them in order. */
  removeAll(matches: (item: T) => boolean = () => true): T[] {
    const all = this.#items.slice(this.#head) as T[];
    const removed: T[] = [];
    const kept: T[] = [];
    for (const item of all) (matches(item) ? removed : kept).push(item);
    this.#items = kept;
    this.#head = 0;
    return removed;
  }
}
