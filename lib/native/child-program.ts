// SPDX-License-Identifier: MIT
import { join } from 'node:path';

const CHILD_PROGRAM = '/child-main.js';

/** The program that child processes run. */
export const childProgram = join(import.meta.dirname, `..${CHILD_PROGRAM}`);

/**
 * The option that makes Node run the child's program under the path by which the parent has loaded this package. Where Node
 * keeps symbolic links (--preserve-symlinks), the module of the user imports the package by such a path, too; the program would
 * otherwise have the path without links, and there would be two copies of all classes.
 */
export const OWN_PATH = '--preserve-symlinks-main';

/**
 * Whether this process runs that program, of this copy of the package or another one. Evaluated before the program starts,
 * since it hides its arguments from user code.
 */
export const runsChildProgram =
  process.argv[1]?.endsWith(CHILD_PROGRAM) === true &&
  [4, 5].includes(process.argv.length) &&
  /^\d+$/.test(process.argv[2] as string);

/** Whether it is the program of this copy, whose arguments are for this copy. */
export const runsOwnChildProgram = runsChildProgram && process.argv[1] === childProgram;
