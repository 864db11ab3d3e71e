// SPDX-License-Identifier: MIT
import type { StdioOptions } from 'node:child_process';

import { argumentError } from '../core/errors.js';
import { checkObject } from '../core/validate.js';

/** Options of every kind of process. */
export interface CommonProcessOptions {
  /** What to call it. Default: `Process-1`, `Process-2`, ... */
  name?: string | undefined;
  /** Whether it ends when this process ends, however that ends; else this one waits for it. Default: as this process is. */
  daemon?: boolean | undefined;
  /** Its environment. Default: this process'. */
  env?: NodeJS.ProcessEnv | undefined;
  /** Its working directory. Default: this process'. */
  cwd?: string | URL | undefined;
  /** As that of `child_process.spawn`; entries that are missing are `'inherit'`. Default: all three are inherited. */
  stdio?: StdioOptions | undefined;
}

/** @internal How long a daemon may take to end after a SIGTERM before it gets a SIGKILL, in milliseconds. */
export const DAEMON_GRACE_MS = 2000;

/** @internal What is common to the options of all kinds of processes. */
export function checkCommon({ env, cwd, stdio }: CommonProcessOptions): void {
  if (env !== undefined) checkObject(env, 'env');
  if (cwd !== undefined && typeof cwd !== 'string' && !(cwd instanceof URL)) {
    throw argumentError('type', 'cwd must be a string or a URL');
  }
  if (stdio !== undefined && typeof stdio !== 'string' && !Array.isArray(stdio)) {
    throw argumentError('type', 'stdio must be a string or an array');
  }
}
