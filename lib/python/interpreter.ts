// SPDX-License-Identifier: MIT
//
// Which Python runs a PythonProcess. That it is a CPython of version 3.8 or later is found out by the child itself, which
// says so otherwise: running it once before would take as long as starting the child.
import { join } from 'node:path';

/** An interpreter, and how errors call it. */
export interface Interpreter {
  readonly command: string;
  readonly what: string;
}

function from(origin: string, command: string): Interpreter {
  return { command, what: `${command} (${origin})` };
}

/** The first of: what the caller says, `PYTHON`, the virtual environment, and `python3` on the PATH. */
export function findInterpreter(python: string | undefined, env: NodeJS.ProcessEnv): Interpreter {
  if (python !== undefined) return from('the option python', python);
  const named = env['PYTHON'];
  if (named !== undefined && named !== '') return from('the environment variable PYTHON', named);
  const virtual = env['VIRTUAL_ENV'];
  if (virtual !== undefined && virtual !== '') {
    return from('the environment variable VIRTUAL_ENV', join(virtual, 'bin', 'python'));
  }
  return from('found by PATH', 'python3');
}
