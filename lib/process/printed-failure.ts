// SPDX-License-Identifier: MIT
import type { ChildProcessError } from '../core/errors.js';
import { isError } from '../core/realms.js';

/** Whether a child with these standard streams prints its errors where this process prints its own. */
export function printsHere([, , error]: readonly unknown[]): boolean {
  return error === 'inherit' || error === 2 || error === process.stderr;
}

/** The stacks that children have printed, by the errors that have them. */
const printed = new WeakMap<Error, string>();

let listens = false;

/** How many errors that are causes of one another are looked at. One may be its own cause. */
const MOST_CAUSES = 100;

/** Called when nothing has caught an error, before Node prints it and ends the process. */
function leaveOut(thrown: unknown): void {
  const survives = process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback();
  if (survives) return;
  let error = thrown;
  for (let i = 0; i < MOST_CAUSES && isError(error); i++, error = error.cause) {
    const childStack = printed.get(error);
    if (childStack === undefined) continue;
    // A traceback of Python is a part of the message, and so of the stack.
    if (childStack !== '') error.stack = String(error.stack).replace(`\n${childStack}`, '');
    delete error.cause;
    return;
  }
}

/** Records that a child has printed what an error says of it, so that it is not printed again if nothing catches the error. */
export function markPrinted(error: ChildProcessError): ChildProcessError {
  printed.set(error, error.childStack);
  if (!listens) {
    listens = true;
    process.on('uncaughtExceptionMonitor', leaveOut);
  }
  return error;
}
