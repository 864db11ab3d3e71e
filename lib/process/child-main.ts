// SPDX-License-Identifier: MIT
//
// The program that a Process runs, as `node child-main.js <descriptor of the bootstrap channel> <file of the addon>`. A Python
// parent does not know that file; it passes an empty one, and the word `python`.
import { runChild } from './bootstrap-child.js';

const channel = Number(process.argv[2]);
const parent = process.argv[4] === 'python' ? 'python' : 'node';
process.argv.length = 1;
// Nothing is awaited at the top level: the function may end when nothing is left to wait for, which would be an error there.
runChild(channel, parent);
