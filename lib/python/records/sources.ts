// SPDX-License-Identifier: MIT
//
// What a Python child runs so that it keeps the records that Node members keep.
import { source as accounts } from './accounts.js';
import { source as counts } from './counts.js';
import { source as ends } from './ends.js';
import { source as locks } from './locks.js';
import { source as queues } from './queues.js';
import { source as streams } from './streams.js';
import { source as table } from './table.js';

/** The texts, in the order in which they run, in one namespace. */
export const sources: readonly string[] = [table, locks, streams, accounts, counts, ends, queues];
