// SPDX-License-Identifier: MIT

/** How the path of the program that child processes run ends, wherever the package is. */
export const CHILD_PROGRAM = '/child-main.js';

/** Whether this is that program. Before it has begun, since it hides its arguments from the user's code. */
export const runsChildProgram =
  process.argv[1]?.endsWith(CHILD_PROGRAM) === true && [4, 5].includes(process.argv.length);
