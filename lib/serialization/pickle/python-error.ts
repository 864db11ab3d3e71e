// SPDX-License-Identifier: MIT

/** An exception of Python. CPython: a class of `builtins`. */
export class PythonError extends Error {
  /** The arguments that it was made with. CPython: `args`. */
  readonly args: readonly unknown[];
  /** Its attributes, if any, as an object. CPython: `__dict__`. */
  attributes: unknown;
  /** The text of its traceback, if a worker of `multiprocessing.pool` has sent it. CPython: the `__cause__`. */
  declare traceback: string | undefined;

  /** @param name The name of its class in `builtins`, such as `'ValueError'`. */
  constructor(name: string, args: readonly unknown[] = []) {
    // An OSError has a number before its text.
    super(messageOf(args.length === 1 ? args[0] : args[1]));
    Object.defineProperty(this, 'name', { value: name, configurable: true, writable: true });
    this.args = args;
  }

  /** @internal Takes the traceback for its stack, which would begin in this package. */
  setTraceback(text: string): void {
    for (const name of ['traceback', 'stack']) {
      Object.defineProperty(this, name, { value: text, enumerable: false, configurable: true, writable: true });
    }
  }
}

function messageOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : '';
}
