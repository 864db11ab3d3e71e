// SPDX-License-Identifier: MIT
//
// The build writes the module from pool_messages.py.

/** The text of that file. */
export declare const source: string;
