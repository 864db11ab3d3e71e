// SPDX-License-Identifier: MIT
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json, seen from out/test/helpers. */
export const packageRoot = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * The environment for peers other than Node. A sanitizer's runtime is preloaded for the addon only; every other program
 * would report its own leaks with it.
 */
export function foreignEnv(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  delete env['LD_PRELOAD'];
  return env;
}
