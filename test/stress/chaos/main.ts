// SPDX-License-Identifier: MIT
//
// The chaos harness: members of families are killed and stopped at random moments, reproducibly by seed.
import { campaign, systems } from './campaign.js';
import { readOptions, USAGE, type Options } from './options.js';
import type { Summary } from './summary.js';
import { makeTable, writeTable } from './table.js';

const options = readOptions(process.argv.slice(2));
if (options.help) console.log(USAGE);
else process.exitCode = (await runAll(options)) ? 0 : 1;

/** Runs all systems. Whether this package has held the invariants; its rivals are only measured. */
async function runAll(all: Options): Promise<boolean> {
  console.log(`--seed ${all.seed} --kills ${all.kills}`);
  const summaries: Summary[] = [];
  for (const system of systems(all)) summaries.push(await campaign(system, all, (text) => console.log(text)));
  console.log(`\n${makeTable(summaries)}\n`);
  if (all.write !== undefined) writeTable(all.write, summaries, all);
  const own = summaries.filter(({ name }) => name.startsWith('node-multiprocessing'));
  const violations = own.flatMap((each) => each.violations);
  for (const violation of violations) console.log(`violated: ${violation}`);
  return violations.length === 0;
}
