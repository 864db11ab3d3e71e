// SPDX-License-Identifier: MIT
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json, seen from out/test/helpers. */
export const packageRoot = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * The environment for peers that are not Node: a sanitizer's runtime is preloaded for the addon only, and would make every
 * other program report its own leaks.
 */
export function foreignEnv(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  delete env['LD_PRELOAD'];
  return env;
}
