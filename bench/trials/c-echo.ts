// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import path from 'node:path';

import { peerSource } from '../paths.js';
import type { Kind, ProgramTrial } from './trial.js';

const executable = (folder: string): string => path.join(folder, 'echo');

// Compiled once for both trials; a second compilation would only repeat the answer.
let answer: { reason: string | undefined } | undefined;

function compile(folder: string): string | undefined {
  if (!answer) {
    const gcc = spawnSync('gcc', ['-O2', '-o', executable(folder), peerSource('echo.c')], { encoding: 'utf8' });
    answer = { reason: gcc.error?.message ?? (gcc.status === 0 ? undefined : `gcc failed: ${gcc.stderr}`) };
  }
  return answer.reason;
}

function cTrial(kind: Exclude<Kind, 'channel'>): ProgramTrial {
  return {
    id: `c/${kind}`,
    label: `C, blocking, ${kind}`,
    kind,
    settings: 'gcc -O2; both ends in C; writev of header and payload, read header, read payload',
    prepare: compile,
    command: (folder) => [executable(folder), kind],
  };
}

/** With the buffers that the ends of a Pipe() get at the first large message. */
function largeTrial(kind: Exclude<Kind, 'channel'>): ProgramTrial {
  const { settings, ...trial } = cTrial(kind);
  return {
    ...trial,
    id: `c-large/${kind}`,
    label: `C, blocking, large ${kind}`,
    settings: `${settings}; kernel buffers as large as ours`,
    command: (folder) => [executable(folder), `${kind}-large`],
    workloads: ['round-trip-64k', 'round-trip-1m', 'one-way-1m'],
  };
}

export const trials = [cTrial('socketpair'), cTrial('pipe'), largeTrial('socketpair'), largeTrial('pipe')];
