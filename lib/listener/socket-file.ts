// SPDX-License-Identifier: MIT
//
// The files that unix sockets have. The kernel does not remove them with the socket.
import { lstatSync, mkdtempSync, rmdirSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LONGEST_PATH } from './socket-address.js';

const NAME = 'listener';

/** A fresh path in a folder that only this user can enter; the file and the folder are removed with the SocketFile. */
export function makeSocketPath(): { path: string; folder: string } {
  // mkdtemp adds six characters, and makes the folder with mode 0700.
  const tooLong = join(tmpdir(), 'mp-xxxxxx', NAME).length > LONGEST_PATH;
  const folder = mkdtempSync(join(tooLong ? '/tmp' : tmpdir(), 'mp-'));
  return { path: join(folder, NAME), folder };
}

/** Removes a folder of ours that has no file in it any more. */
export function removeFolder(folder: string | undefined): void {
  if (folder === undefined) return;
  try {
    rmdirSync(folder);
  } catch {
    // Somebody has put something into it, or removed it; both are their own business.
  }
}

const files = new Set<SocketFile>();

function removeAll(): void {
  for (const file of files) file.remove();
}

/** The file of a listening socket. It is removed at the end of the process if not before. */
export class SocketFile {
  readonly #path: string;
  readonly #folder: string | undefined;
  readonly #identity: string | undefined;

  constructor(path: string, folder: string | undefined) {
    this.#path = path;
    this.#folder = folder;
    this.#identity = identify(path);
    if (files.size === 0) process.on('exit', removeAll);
    files.add(this);
  }

  remove(): void {
    if (!files.delete(this)) return;
    if (files.size === 0) process.off('exit', removeAll);
    // Another program may have put its own socket in this place since.
    if (this.#identity !== undefined && identify(this.#path) === this.#identity) {
      try {
        unlinkSync(this.#path);
      } catch {
        // It has just been removed, or the folder no longer lets us.
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
    return undefined;
  }
}
