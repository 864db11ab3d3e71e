// SPDX-License-Identifier: MIT
import { PicklingError } from '../../../core/errors.js';
import type { PythonGlobal } from '../nodes.js';
import { POP, STACK_GLOBAL } from '../opcodes.js';
import { KeyWriter } from './key-writer.js';
import { Memo } from './memo.js';
import { formatPath } from './path.js';

/** How deep objects may be nested. CPython gives up at about the same depth. */
export const MAX_DEPTH = 1000;

/** Knows which objects were written, and where in the value the current one is. */
export class MemoWriter extends KeyWriter {
  protected depth = 0;
  /** The path to the current value: a step for each level down to `depth`. */
  protected readonly path: unknown[] = [];
  protected readonly memo = new Memo();

  /** Lets go of the value. */
  protected forget(): void {
    this.depth = 0;
    if (this.path.length > 0) this.path.length = 0;
    this.memo.clear();
    this.forgetKeys();
  }

  /** The path to the current value, for an error. */
  protected where(): string {
    return formatPath(this.path.slice(1, this.depth + 1));
  }

  protected refuseKey(what: string): never {
    throw new PicklingError(`${this.where()} would be ${what}, which in Python can be neither a key nor in a set`);
  }

  /** Goes one level down. The caller goes up again by `depth--`. */
  protected enter(): void {
    if (this.depth === MAX_DEPTH) {
      const where = formatPath(this.path.slice(1, 4));
      throw new PicklingError(`The value is nested more than ${MAX_DEPTH} levels deep (below ${where}...)`);
    }
    this.path[++this.depth] = undefined;
  }

  /** Writes a reference to an object that was written before. False if it was not. */
  protected written(value: object): boolean {
    const index = this.memo.get(value);
    if (index === undefined) return false;
    this.get(index);
    return true;
  }

  /** Writes a class or function. */
  protected global(type: PythonGlobal): void {
    if (this.written(type)) return;
    this.text(type.module);
    this.text(type.name);
    this.byte(STACK_GLOBAL);
    this.remember(type);
  }

  /** Gives the object that was just written a memo number. */
  protected remember(value: object): void {
    this.memo.set(value, this.memoize());
  }

  /** Replaces the object that was just written by a reference, if that memo has it already. */
  protected instead(value: object, memo: Memo): boolean {
    const index = memo.get(value);
    if (index === undefined) return false;
    this.byte(POP);
    this.get(index);
    return true;
  }
}
