// SPDX-License-Identifier: MIT
import { expectExactCount } from './support/lock-loops.js';

describe('A Lock between eight processes of both languages', function () {
  it('loses none of the 1,000 increments of each process', function () {
    return expectExactCount(1000, 60_000);
  });
});
