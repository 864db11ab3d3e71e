// SPDX-License-Identifier: MIT
//
// A few of what test/stress does with many.
import { expectEndedWell, expectManyAtOnce } from './support/process-loops.js';

describe('Several processes', function () {
  this.timeout(170_000);

  it('20 in sequence leave no descriptor, memory, zombie or name', function () {
    return expectEndedWell(20);
  });

  it('10 at once leave no descriptor, zombie or name', function () {
    return expectManyAtOnce(10);
  });
});
