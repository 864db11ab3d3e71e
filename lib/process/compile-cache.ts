// SPDX-License-Identifier: MIT
//
// Node's cache of compiled code, for the modules of the user that a child imports, and the folder for it.
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What newer releases of Node have. 20 has none of it. */
interface CompileCache {
  enableCompileCache?(folder: string): unknown;
  getCompileCacheDir?(): string | undefined;
}

/**
 * The folder for compiled code below the folder for temporary files, or undefined if there can be none. Node's own default is a
 * name that another user may have taken first, and Node would run the code that is in it.
 */
function ownFolder(below: string): string | undefined {
  const uid = process.geteuid?.();
  if (uid === undefined) return undefined;
  const folder = join(below, `node-multiprocessing-${uid}`);
  try {
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0 ? folder : undefined;
  } catch {
    // A read-only file system, a permission that Node denies, or a sibling that was faster: the next child finds its folder.
    return undefined;
  }
}

/**
 * Makes Node keep what it compiles, where it can. Returns the folder for compiled code; undefined if there can be none, or if the
 * user has named another one (NODE_COMPILE_CACHE), or wants none (NODE_DISABLE_COMPILE_CACHE).
 */
export function useCompileCache(): string | undefined {
  const { enableCompileCache, getCompileCacheDir } = Object(process.getBuiltinModule('node:module')) as CompileCache;
  if (process.env['NODE_COMPILE_CACHE'] !== undefined || getCompileCacheDir?.() !== undefined) return undefined;
  if (process.env['NODE_DISABLE_COMPILE_CACHE'] !== undefined) return undefined;
  const folder = ownFolder(tmpdir());
  if (folder !== undefined) enableCompileCache?.(folder);
  return folder;
}
