// SPDX-License-Identifier: MIT
//
// A small version of the loops in test/stress.
import { expectEndedWell, expectManyAtOnce } from './support/process-loops.js';

describe('Several processes', function () {
  this.timeout(170_000);

  it('leave no descriptor, memory, zombie or name: 20 in sequence', function () {
    return expectEndedWell(20);
  });

  it('leave no descriptor, zombie or name: 10 at once', function () {
    return expectManyAtOnce(10);
  });
});
