// SPDX-License-Identifier: MIT
//
// The files of unix sockets. The kernel does not remove a file with its socket.
import { lstatSync, mkdtempSync, rmdirSync, unlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { LONGEST_PATH } from './socket-address.js';

const NAME = 'listener';

/** Where temporary files may be, in the order of preference. CPython: `tempfile._candidate_tempdir_list`. */
function temporaryFolders(): string[] {
  const named = ['TMPDIR', 'TEMP', 'TMP'].map((name) => process.env[name]);
  const folders = [...named, '/tmp', '/var/tmp', '/usr/tmp', '.'].filter(
    (folder) => folder !== undefined && folder !== '',
  );
  return folders.map((folder) => resolve(folder as string));
}

/**
 * A new path in a folder that only this user can enter: in the first temporary folder that permits it and whose name is
 * short enough. The file and the folder are removed with the SocketFile.
 */
export function makeSocketPath(): { path: string; folder: string } {
  let failure: unknown;
  for (const parent of temporaryFolders()) {
    // mkdtemp adds six characters, and makes the folder with mode 0700.
    if (Buffer.byteLength(join(parent, 'mp-xxxxxx', NAME)) > LONGEST_PATH) continue;
    try {
      const folder = mkdtempSync(join(parent, 'mp-'));
      return { path: join(folder, NAME), folder };
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

/** Removes a folder that was made here, if no file is left in it. */
export function removeFolder(folder: string | undefined): void {
  if (folder === undefined) return;
  try {
    rmdirSync(folder);
  } catch {
    // Another program has put a file into the folder, which stays then, or has removed it.
  }
}

const files = new Set<SocketFile>();

function removeAll(): void {
  for (const file of files) file.remove();
}

/** The file of a listening socket. It is removed at the end of the process, if not before. */
export class SocketFile {
  readonly #path: string;
  readonly #folder: string | undefined;
  readonly #identity: string | undefined;

  constructor(path: string, folder: string | undefined) {
    // The working directory of the process may be another one when the file is removed.
    this.#path = resolve(path);
    this.#folder = folder;
    this.#identity = identify(path);
    if (files.size === 0) process.on('exit', removeAll);
    files.add(this);
  }

  remove(): void {
    if (!files.delete(this)) return;
    if (files.size === 0) process.off('exit', removeAll);
    // Another program may have put its own socket in this place meanwhile.
    if (this.#identity !== undefined && identify(this.#path) === this.#identity) {
      try {
        unlinkSync(this.#path);
      } catch {
        // The file has just been removed, or the folder no longer permits it.
      }
    }
    removeFolder(this.#folder);
  }
}

function identify(path: string): string | undefined {
  try {
    const { dev, ino } = lstatSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    // There is no file at the path.
    return undefined;
  }
}
