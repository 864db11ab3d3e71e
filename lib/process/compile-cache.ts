// SPDX-License-Identifier: MIT
//
// Node's cache of compiled code, for the program of a child: compiling what a child loads first takes longer than running it, and
// what the user's module imports may take much longer. Loaded for this effect, before the files that are worth it.
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What newer releases of Node have. */
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

const { enableCompileCache, getCompileCacheDir } = Object(process.getBuiltinModule('node:module')) as CompileCache;
// NODE_COMPILE_CACHE has named a folder already, and NODE_DISABLE_COMPILE_CACHE says that there shall be none.
if (
  enableCompileCache !== undefined &&
  getCompileCacheDir?.() === undefined &&
  process.env['NODE_DISABLE_COMPILE_CACHE'] === undefined
) {
  const folder = ownFolder(tmpdir());
  if (folder !== undefined) enableCompileCache(folder);
}
