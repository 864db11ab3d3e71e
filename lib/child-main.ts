// SPDX-License-Identifier: MIT
//
// The program that a Process runs, as `node child-main.js <descriptor of the bootstrap channel> <file of the addon>`.
import { runChild } from './child.js';

const channel = Number(process.argv[2]);
process.argv.length = 1;
// Nothing is awaited at the top level: the function may end when nothing is left to wait for, which would be an error there.
runChild(channel);
