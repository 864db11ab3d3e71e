// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';

import { peerSource } from '../paths.js';
import type { Kind, ProgramTrial } from './trial.js';

function findPython(): string | undefined {
  const python = spawnSync('python3', ['-c', 'import multiprocessing'], { encoding: 'utf8' });
  return python.error?.message ?? (python.status === 0 ? undefined : `python3 failed: ${python.stderr}`);
}

function cpythonTrial(kind: Exclude<Kind, 'channel'>, construction: string): ProgramTrial {
  return {
    id: `python/${kind}`,
    label: `CPython ${construction}, ${kind}`,
    kind,
    settings: `both ends CPython (start method spawn); ${construction}; send_bytes and recv_bytes, no pickling`,
    prepare: findPython,
    command: () => ['python3', peerSource('cpython_pipe.py'), kind],
  };
}

export const trials = [cpythonTrial('socketpair', 'Pipe()'), cpythonTrial('pipe', 'Pipe(False) x 2')];
