// SPDX-License-Identifier: MIT
import { semaphoreError } from '../core/errors.js';
import { native } from '../native/addon.js';

/** Where the registers of this user's families are, and the files beside them. */
export function familyFolders(): [string, ...string[]] {
  const folders = native.families.folders();
  if (typeof folders === 'number') throw semaphoreError(folders, 'open');
  return folders as [string, ...string[]];
}
