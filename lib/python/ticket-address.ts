// SPDX-License-Identifier: MIT
//
// A message is data, and must not be able to make its receiver connect to anything. So a ticket leads only to where this
// package and Python's resource_sharer hand out descriptors: to a socket of this user, in a folder that only this user can enter.
import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** The folder and the file of a Listener without an address, here and in Python (`pymp-...`). */
const FOLDER = /^(?:py)?mp-/;
const FILE = /^listener/;

const WRITABLE_BY_OTHERS = 0o002;
const STICKY = 0o1000;
const ACCESS_OF_OTHERS = 0o077;

/** Throws if another user could put something else in the place of a folder below this one. */
function checkAncestor(path: string, user: number): void {
  const { uid, mode } = lstatSync(path);
  const replaceable = (mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0;
  if ((uid !== user && uid !== 0) || replaceable) throw new TypeError(`other users can change ${path}`);
  if (dirname(path) !== path) checkAncestor(dirname(path), user);
}

/**
 * The real path of the socket that a ticket names.
 *
 * @throws TypeError for an address that is none of a sharer of this user, a system error (ENOENT) if the sharer has gone.
 */
export function sharerPath(address: string): string {
  const user = process.getuid?.() ?? -1;
  if (!address.startsWith('/')) throw new TypeError('the address of its sender is no path');
  const folder = realpathSync(dirname(address));
  const path = join(folder, basename(address));
  if (!FOLDER.test(basename(folder)) || !FILE.test(basename(path))) {
    throw new TypeError(`${path} is not where Connections are handed out`);
  }
  checkAncestor(dirname(folder), user);
  const found = lstatSync(folder);
  const socket = lstatSync(path);
  const own = found.uid === user && (found.mode & ACCESS_OF_OTHERS) === 0 && socket.uid === user && socket.isSocket();
  if (!own) throw new TypeError(`${path} is not a socket that only this user can have made`);
  return path;
}
