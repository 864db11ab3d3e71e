// SPDX-License-Identifier: MIT
//
// The build writes the module from arrays.py.

/** The text of that file. */
export declare const source: string;
