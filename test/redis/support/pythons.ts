// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';

import { foreignEnv, pythons, type Python } from '../../helpers/index.js';

const PROBE = "import redis, sys; print('%d.%d' % sys.version_info[:2], redis.__version__)";

let found: readonly [Python, string][] | undefined;

/** The Pythons that have redis-py, with its version. Debian's is that of its own Python. */
export function withRedis(): readonly [Python, string][] {
  const candidates = [...new Set([...pythons().map(({ path }) => path), '/usr/bin/python3'])];
  return (found ??= candidates.flatMap((path): [Python, string][] => {
    const { status, stdout } = spawnSync(path, ['-c', PROBE], { encoding: 'utf8', env: foreignEnv() });
    const [version = '', redis = ''] = (stdout ?? '').trim().split(' ');
    return status === 0 ? [[{ path, version }, redis]] : [];
  }));
}
