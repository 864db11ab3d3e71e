// SPDX-License-Identifier: MIT
//
// Chooses the interpreter of a PythonProcess. The child itself checks that it is CPython 3.8 or later, and reports if
// it is not: running the interpreter once before, for a check, would take as long as starting the child.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { isURL } from '../core/realms.js';

/** An interpreter, and its name in error messages. */
export interface Interpreter {
  readonly command: string;
  readonly label: string;
}

function from(origin: string, command: string): Interpreter {
  return { command, label: `${command} (${origin})` };
}

/**
 * The first of these that is given: the option `python`, `PYTHON`, the virtual environment that is active, the one in the
 * folder `.venv` of the working directory; else `python3` on the PATH.
 */
export function findInterpreter(
  python: string | undefined,
  env: NodeJS.ProcessEnv,
  cwd: string | URL | undefined,
): Interpreter {
  if (python !== undefined) return from('the option python', python);
  const named = env['PYTHON'];
  if (named !== undefined && named !== '') return from('the environment variable PYTHON', named);
  const virtual = env['VIRTUAL_ENV'];
  if (virtual !== undefined && virtual !== '') {
    return from('the environment variable VIRTUAL_ENV', join(virtual, 'bin', 'python'));
  }
  const local = join(isURL(cwd) ? fileURLToPath(cwd) : resolve(cwd ?? '.'), '.venv', 'bin', 'python');
  if (existsSync(local)) return from('the virtual environment of the working directory', local);
  return from('from the PATH; neither PYTHON nor VIRTUAL_ENV is set, and there is no .venv', 'python3');
}
