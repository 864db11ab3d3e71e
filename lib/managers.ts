// SPDX-License-Identifier: MIT
//
// What users import as node-multiprocessing/managers.
export { ManagerClient } from './adapters/managers/client.js';
export { ManagedDict } from './adapters/managers/managed-dict.js';
export { ManagedEvent } from './adapters/managers/managed-event.js';
export { ManagedLock, type ManagedLockOptions } from './adapters/managers/managed-lock.js';
export { ManagedQueue, type ManagedQueueOptions } from './adapters/managers/managed-queue.js';
export type { ManagerCallOptions, ManagerClientOptions } from './adapters/managers/options.js';
export { ManagerProxy } from './adapters/managers/proxy.js';
export { ManagerServer, type ManagerServerOptions, type RegisterOptions } from './adapters/managers/server.js';

import { loadedAll } from './rebuilders.js';
import { loadCoders } from './serialization/pickle/codec.js';

loadedAll(import.meta.filename);
// All messages of managers are pickles, and none must be lost because there is no descriptor left to read a file with.
loadCoders();
