// SPDX-License-Identifier: MIT
//
// The program that a Process runs, as `node child-main.js <descriptor of the bootstrap channel>`. What it is must be known
// before any other module of this package is loaded, since the user's modules ask for it when they are.
import { native } from './native.js';

const channel = Number(process.argv[2]);
process.argv.length = 1;
native.processes.setRole('child');
// Not awaited at the top level: the function may end when nothing is left to wait for, which would be an error there.
import('./child.js').then(({ runChild }) => {
  runChild(channel);
}, rethrow);

function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
