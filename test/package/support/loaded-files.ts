// SPDX-License-Identifier: MIT
//
// The target of a child. This module imports nothing of the package: the types are erased.
import { createRequire } from 'node:module';

import type { Connection } from 'node-multiprocessing';

/** Sends the JavaScript files that require() has loaded. */
export async function sendLoadedFiles(connection: Connection<string[], never>): Promise<void> {
  await connection.send(Object.keys(createRequire(import.meta.url).cache).filter((file) => file.endsWith('.js')));
}

/** Sends the modules of Node that were loaded. */
export async function sendLoadedModules(connection: Connection<string[], never>): Promise<void> {
  await connection.send((process as unknown as { moduleLoadList: string[] }).moduleLoadList);
}
