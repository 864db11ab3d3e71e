// SPDX-License-Identifier: MIT
//
// The chaos harness, short: 300 members of queues, locks and pipes are killed, and others stopped, at saturation.
import { expect } from 'chai';

import { freshSeed } from '../helpers/random.js';
import { campaign, systems } from '../stress/chaos/campaign.js';
import { readOptions, type Options } from '../stress/chaos/options.js';

/** After so many milliseconds without progress the others do not go on. */
const PATIENCE_MS = 60_000;

/** Two producers and two consumers suffice, and start faster than more of them. Most of the time is that of their starts. */
const FEW = ['--brisk', '--each', '2', '--per-round', '25', '--patience', String(PATIENCE_MS)];

function optionsFor(seed: number, members: string, blows: number): Options {
  return readOptions([...FEW, '--members', members, '--seed', String(seed), '--kills', String(blows)]);
}

/** Deals blows to the members of a system until so many of these were killed. Returns how many items arrived. */
async function kill(count: number, members: string, what: string, seed: number): Promise<number> {
  const found: string[] = [];
  let [killed, got] = [0, 0];
  for (let part = seed; killed < count; part += 1000) {
    const options = optionsFor(part, members, count - killed);
    const system = systems(options).find(({ name }) => name.includes(what))!;
    const summary = await campaign(system, options, (text) => found.push(text));
    expect(summary.violations, found.join('\n')).to.deep.equal([]);
    expect(summary.kills + summary.stops).to.equal(count - killed);
    killed += summary.kills;
    got += summary.got;
  }
  return got;
}

describe('Members that are killed and stopped at saturation', function () {
  this.timeout(600_000);
  const seed = freshSeed();

  it(`lose only what they held of a queue, and the others go on, after 50 kills (SEED=${seed})`, async function () {
    expect(await kill(50, 'node', 'Node processes', seed)).to.be.greaterThan(0);
  });

  it(`leave locks, conditions, events and semaphores as they must be, after 30 kills (SEED=${seed})`, async function () {
    await kill(30, 'node', 'locks', seed);
  });

  it(`leave whole messages in their pipes, after 220 kills of C programs (SEED=${seed})`, async function () {
    expect(await kill(220, 'c', 'pipes', seed)).to.be.greaterThan(0);
  });

  it(`end between two items of a queue if they are C programs, and lose none (SEED=${seed})`, async function () {
    expect(await kill(20, 'c', 'C programs', seed)).to.be.greaterThan(0);
  });
});
