// SPDX-License-Identifier: MIT
import { expect } from 'chai';

import { kinds } from '../helpers/index.js';
import { expectNothingMissing, shapes } from '../lifecycle/support/exit-flush.js';

for (const kind of kinds) {
  for (const [ending, exitCode] of [
    ['exit', 0],
    ['throw', 1],
    ['natural', 0],
  ] as const) {
    describe(`One MiB in sends that were not awaited, then ${ending} (${kind})`, function () {
      for (const shape of shapes) {
        it(`arrives 50 times as ${shape.count} messages of ${shape.size} bytes`, async function () {
          for (let i = 0; i < 50; i++) expect(await expectNothingMissing(kind, ending, shape)).to.equal(exitCode);
        });
      }
    });
  }
}
