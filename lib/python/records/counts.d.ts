// SPDX-License-Identifier: MIT
//
// The build writes the module from counts.py.

/** The text of that file. */
export declare const source: string;
