// SPDX-License-Identifier: MIT
import type { StdioOptions } from 'node:child_process';

import { argumentError } from '../core/errors.js';
import { isURL } from '../core/realms.js';
import { checkObject } from '../core/validate.js';

/** Options common to all kinds of processes. */
export interface CommonProcessOptions {
  /** The name of the process. Default: `Process-1`, `Process-2`, ... */
  name?: string | undefined;
  /**
   * Whether the process ends when this process ends, however this process ends; otherwise this process waits for it.
   * Default: the value for this process.
   */
  daemon?: boolean | undefined;
  /** The environment variables of the process. Default: those of this process. */
  env?: NodeJS.ProcessEnv | undefined;
  /** The working directory of the process. Default: that of this process. */
  cwd?: string | URL | undefined;
  /**
   * As the option `stdio` of `child_process.spawn`; missing entries are `'inherit'`. Default: all three are inherited.
   */
  stdio?: StdioOptions | undefined;
}

/** @internal The options common to all kinds of processes, for the lists of each kind. */
export const COMMON_PROCESS_OPTIONS = { name: true, daemon: true, env: true, cwd: true, stdio: true } as const;

/** @internal How long a daemon may take to end after a SIGTERM before it gets a SIGKILL, in milliseconds. */
export const DAEMON_GRACE_MS = 2000;

/** @internal Validates the options common to all kinds of processes. */
export function checkCommon({ env, cwd, stdio }: CommonProcessOptions): void {
  if (env !== undefined) checkObject(env, 'env');
  if (cwd !== undefined && typeof cwd !== 'string' && !isURL(cwd)) {
    throw argumentError('type', 'cwd must be a string or a URL');
  }
  if (stdio !== undefined && typeof stdio !== 'string' && !Array.isArray(stdio)) {
    throw argumentError('type', 'stdio must be a string or an array');
  }
}
