// SPDX-License-Identifier: MIT
//
// The parent process of one trial in Node.js: `driver.js <trial id> <job>`.
//
// Prints the nanoseconds per operation of each measured batch, as the programs in other languages do.
import { jobFromArguments, makePayload, type Job, type TrialOutput } from './job.js';
import { findTrial } from './trials/index.js';
import { isProgramTrial, type Link } from './trials/trial.js';

const minimumBatches = 5;

async function measure(link: Link, job: Job): Promise<number[]> {
  const run = job.mode === 'round-trip' ? link.roundTrips.bind(link) : link.oneWay.bind(link);
  const clock = process.hrtime.bigint;
  const batchesFor = async (ms: number, minimum: number): Promise<number[]> => {
    const samples: number[] = [];
    const end = clock() + BigInt(ms) * 1_000_000n;
    while (samples.length < minimum || clock() < end) {
      const start = clock();
      await run(job.batch);
      samples.push(Number(clock() - start) / job.batch);
    }
    return samples;
  };
  await batchesFor(job.warmUpMs, 1);
  return batchesFor(job.measuredMs, minimumBatches);
}

const [id = '', ...rest] = process.argv.slice(2);
const job = jobFromArguments(rest);
const trial = findTrial(id);
if (isProgramTrial(trial)) throw new TypeError(`${id} is a program of its own`);
const payload = makePayload(job.sizeBytes);
const link = await trial.open(job, payload);
const output: TrialOutput = { nsPerOperation: await measure(link, job) };
if (job.mode === 'round-trip' && Buffer.compare(payload, link.lastReply()) !== 0) {
  throw new Error('the echo differs from what was sent');
}
link.close();
process.stdout.write(`${JSON.stringify(output)}\n`);
