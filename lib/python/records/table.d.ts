// SPDX-License-Identifier: MIT
//
// The build writes the module from table.py.

/** The text of that file. */
export declare const source: string;
