// SPDX-License-Identifier: MIT
//
// What Python children run, which programs.ts loads.
import { source as messages } from './pool_messages.js';
import { source as worker } from './pool_worker.js';
import { source as accounts } from './records/accounts.js';
import { source as counts } from './records/counts.js';
import { source as ends } from './records/ends.js';
import { source as locks } from './records/locks.js';
import { source as queues } from './records/queues.js';
import { source as streams } from './records/streams.js';
import { source as table } from './records/table.js';

export { source as spawnChild } from './spawn_child.js';

/** So that it keeps the records that Node members keep. In the order in which the texts run, in one namespace. */
export const records: readonly string[] = [table, locks, streams, accounts, counts, ends, queues];

/** A worker of a PythonPool. */
export const poolWorker = messages + worker;
