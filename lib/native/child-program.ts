// SPDX-License-Identifier: MIT

/** The end of the path of the program that child processes run, wherever the package is installed. */
export const CHILD_PROGRAM = '/child-main.js';

/**
 * Whether this process runs that program. Evaluated before the program starts, since it hides its arguments from user
 * code.
 */
export const runsChildProgram =
  process.argv[1]?.endsWith(CHILD_PROGRAM) === true && [4, 5].includes(process.argv.length);
