// SPDX-License-Identifier: MIT
//
// Runs one trial in Node.js as its parent process: `driver.js <trial id> <job>`.
//
// Prints the nanoseconds per operation of each measured batch, as the trials in other languages do.
import { jobFromArguments, makePayload } from './job.js';
import { report, sample, timesFrom } from './sampling.js';
import { findTrial } from './trials/index.js';
import { isProgramTrial } from './trials/trial.js';

const [id = '', ...rest] = process.argv.slice(2);
const job = jobFromArguments(rest);
const trial = findTrial(id);
if (isProgramTrial(trial)) throw new TypeError(`${id} is a program of its own`);
const payload = makePayload(job.sizeBytes);
const link = await trial.open(job, payload);
const run = job.mode === 'round-trip' ? link.roundTrips.bind(link) : link.oneWay.bind(link);
const output = await sample(timesFrom(job.warmUpMs, job.measuredMs), job.batch, run);
if (job.mode === 'round-trip' && Buffer.compare(payload, link.lastReply()) !== 0) {
  throw new Error('the echo differs from what was sent');
}
link.close();
report(output);
