// SPDX-License-Identifier: MIT
//
// Python functions of test/peers that a test starts as processes.
import { join } from 'node:path';

import { Pipe, PythonProcess, type Connection, type PythonProcessOptions } from 'node-multiprocessing';

import { track } from './channels.js';
import { foreignEnv, packageRoot } from './environment.js';
import { newestPython } from './pythons.js';

const peers = join(packageRoot, 'test', 'peers');

/** Starts a function of a module in test/peers. Default: under the newest Python. */
export function startPython(target: string, options: Partial<PythonProcessOptions> = {}): PythonProcess {
  const python = newestPython().path;
  const child = new PythonProcess({ target, python, pythonPath: peers, env: foreignEnv(), ...options });
  child.start();
  return child;
}

/** Starts a function whose first argument is a Connection, and returns the other end, which is closed after the test. */
export function startTalkingPython(
  target: string,
  options: Partial<PythonProcessOptions> = {},
): [PythonProcess, Connection] {
  const [ours, theirs] = Pipe();
  track(ours);
  track(theirs);
  const child = startPython(target, { ...options, args: [theirs, ...(options.args ?? [])] });
  theirs.close();
  return [child, ours];
}
