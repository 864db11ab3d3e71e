// SPDX-License-Identifier: MIT
//
// A member of the family that is a worker.
import { workerData } from 'node:worker_threads';

import type { Place } from './ledger.js';
import { attached, consume, produce } from './members.js';

const { descriptor, role, place } = workerData as {
  descriptor: unknown;
  role: 'produce' | 'consume';
  place: Place;
};
const roles = { produce, consume };
await roles[role](attached(descriptor), place);
