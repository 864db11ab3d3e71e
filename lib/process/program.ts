// SPDX-License-Identifier: MIT
//
// Starts a program that inherits descriptors, and finds out why one was not started: Node tells that too late.
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { accessSync, closeSync, constants as modes, openSync, readSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { systemError } from '../core/errors.js';
import { isURL } from '../core/realms.js';
import { native } from '../native/addon.js';
import { duplicate } from '../reduction/exporters.js';

/**
 * Starts a program that inherits `fds` as its descriptors from `stdio.length` on. Throws if no process could be
 * started.
 *
 * @param label The name of the program in error messages. Default: its command.
 */
export function launchProgram(
  command: string,
  args: readonly string[],
  stdio: readonly unknown[],
  fds: readonly number[],
  options: { readonly env: NodeJS.ProcessEnv | undefined; readonly cwd: string | URL | undefined },
  label = command,
): { process: ChildProcess; pid: number } {
  const { env, cwd } = options;
  const pipes = stdio.filter((entry) => ['pipe', 'overlapped', undefined, null].includes(entry as string)).length;
  // Node makes the pipes one by one. If descriptors run out before the last one, Node leaves the others open.
  const room = (count: number): (() => void) => openMany(fds[0] as number, count);
  const missing = pipes > 0 ? failureOf(room(2 * pipes + OTHER_DESCRIPTORS), 'spawn') : undefined;
  if (missing !== undefined) throw missing;
  // Loaded on first use: most processes are children that start no processes themselves.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(command, args, {
    stdio: [...stdio, ...fds] as StdioOptions,
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (child.pid !== undefined) return { process: child, pid: child.pid };
  // The 'error' event arrives too late for the caller of start(), which gets the error thrown below.
  child.on('error', () => undefined);
  throw whyNot(command, label, { env: env ?? process.env, cwd }, room(OTHER_DESCRIPTORS));
}

/** The error that a call throws, as a system error of `syscall` if it is one; undefined if the call succeeds. */
function failureOf(call: () => void, syscall: string, detail?: string): Error | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    // An error of another kind, such as a permission that Node itself refuses, says what it is.
    return errno === undefined ? (error as Error) : systemError(errno, syscall, detail);
  }
}

/** How many descriptors Node needs besides the pipes, to learn whether the program runs. */
const OTHER_DESCRIPTORS = 2;

/** Returns a function that throws unless `count` descriptors can be opened. They are copies of `fd`. */
function openMany(fd: number, count: number): () => void {
  return () => {
    const copies: number[] = [];
    try {
      while (copies.length < count) copies.push(duplicate(fd));
    } finally {
      copies.forEach((copy) => {
        native.closeDescriptor(copy);
      });
    }
  };
}

/**
 * Finds out why a program was not started. Node reports the reason in an event that arrives too late, so this tests the
 * possible reasons.
 */
function whyNot(
  command: string,
  label: string,
  { env, cwd }: { readonly env: NodeJS.ProcessEnv; readonly cwd: string | URL | undefined },
  openOthers: () => void,
): Error {
  const folder = isURL(cwd) ? fileURLToPath(cwd) : resolve(cwd ?? '.');
  const check = (): void => {
    accessSync(folder, modes.X_OK);
  };
  const inCwd = cwd === undefined ? undefined : failureOf(check, 'chdir', folder);
  const open = failureOf(openOthers, 'spawn');
  // If no other reason applies, the limit on processes was reached.
  return (
    inCwd ??
    open ??
    notAProgram(command, label, folder, env['PATH'] ?? '') ??
    systemError(-constants.errno.EAGAIN, 'spawn')
  );
}

/** Why the system cannot run a program; undefined if it can. */
function notAProgram(command: string, label: string, cwd: string, searched: string): Error | undefined {
  if (command.includes('/')) return failureOf(runs(resolve(cwd, command)), 'spawn', label);
  const failures = searched
    .split(delimiter)
    .map((folder) => failureOf(runs(resolve(cwd, folder, command)), 'spawn', label));
  if (failures.includes(undefined)) return undefined;
  // A program that may not be run is searched for in the remaining folders, and reported if it is in none of them.
  const denied = failures.find((failure) => (failure as NodeJS.ErrnoException).code === 'EACCES');
  return denied ?? systemError(-constants.errno.ENOENT, 'spawn', `${label} was not found in the PATH`);
}

/** Returns a function that throws unless a file can be run. */
function runs(file: string): () => void {
  return () => {
    accessSync(file, modes.X_OK);
    // A folder has the same permission for another purpose.
    if (statSync(file).isDirectory()) throw Object.assign(new Error(), { errno: -constants.errno.EACCES });
    const interpreter = interpreterOf(file);
    if (interpreter !== undefined) runs(interpreter)();
  };
}

/** The program that runs a script, as the script's first line names it; undefined for any other file. */
function interpreterOf(file: string): string | undefined {
  const line = Buffer.alloc(256);
  const unreadable = failureOf(() => {
    const fd = openSync(file, 'r');
    try {
      readSync(fd, line);
    } finally {
      closeSync(fd);
    }
  }, 'read');
  // A program that this user may run and not read is no script.
  if (unreadable !== undefined) return undefined;
  return /^#![ \t]*([^\s\0]+)/.exec(line.toString())?.[1];
}
