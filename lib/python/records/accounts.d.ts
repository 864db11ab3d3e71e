// SPDX-License-Identifier: MIT
//
// The build writes the module from accounts.py.

/** The text of that file. */
export declare const source: string;
