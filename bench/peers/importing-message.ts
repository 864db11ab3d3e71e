// SPDX-License-Identifier: MIT
//
// The same child as first-message, whose module imports the package, as most modules of a program do.
import 'node-multiprocessing';

export { sayOn } from './first-message.js';
