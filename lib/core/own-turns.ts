// SPDX-License-Identifier: MIT
//
// What brings the next turn of the event loop, as it is when the package is loaded. Fake timers of test frameworks replace the
// globals, and what has arrived must go on also if the test moves no clock. Time limits use the globals: they are the test's.
import { clearImmediate as clear, setImmediate as immediate } from 'node:timers';

export const setImmediate = immediate;
export const clearImmediate = clear;
export const { queueMicrotask } = globalThis;
