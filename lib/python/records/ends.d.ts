// SPDX-License-Identifier: MIT
//
// The build writes the module from ends.py.

/** The text of that file. */
export declare const source: string;
