// SPDX-License-Identifier: MIT
//
// The build writes the module from script.lua.

/** The text of that file. */
export declare const source: string;
