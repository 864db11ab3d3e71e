// SPDX-License-Identifier: MIT
//
// Compiled against the declarations of the installed package, as a CommonJS module; never run.
import mp = require('node-multiprocessing');

const [ours] = mp.Pipe();
const received: Promise<Buffer> = ours.recvBytes();
void received;

import redis = require('node-multiprocessing/redis');
const queued: Promise<string> = new redis.RedisQueue<string>({ client: { duplicate: () => 1 }, name: 'jobs' }).get();
void queued;
