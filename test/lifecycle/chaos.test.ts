// SPDX-License-Identifier: MIT
//
// The chaos harness, short: Node members on queues of every kind are killed and stopped at saturation.
import { expect } from 'chai';

import { freshSeed } from '../helpers/random.js';
import { campaign, systems } from '../stress/chaos/campaign.js';
import { readOptions } from '../stress/chaos/options.js';

const BLOWS = 100;

/** After so many milliseconds without progress the others do not go on. */
const PATIENCE_MS = 60_000;

describe('Queues whose members are killed and stopped at saturation', function () {
  const seed = freshSeed();
  it(`lose only what the killed members held, and go on, ${BLOWS} times (SEED=${seed})`, async function () {
    this.timeout(600_000);
    // Two producers and two consumers suffice, and start faster than more of them. Most of the time is that of their starts.
    const args = [
      '--members',
      'node',
      '--brisk',
      '--each',
      '2',
      '--per-round',
      '25',
      '--patience',
      String(PATIENCE_MS),
    ];
    const options = readOptions([...args, '--seed', String(seed), '--kills', String(BLOWS)]);
    const found: string[] = [];
    const summary = await campaign(systems(options)[0]!, options, (text) => found.push(text));
    expect(summary.violations, found.join('\n')).to.deep.equal([]);
    expect(summary.kills + summary.stops).to.equal(BLOWS);
    expect(summary.got).to.be.greaterThan(0);
  });
});
