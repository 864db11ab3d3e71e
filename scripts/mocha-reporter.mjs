// SPDX-License-Identifier: MIT
//
// The spec reporter, which also passes on the number of tests that ran (see reportCounts).
import Mocha from 'mocha';
import { reportCounts } from './support.mjs';

export default class CountingReporter extends Mocha.reporters.Spec {
  /**
   * @param {Mocha.Runner} runner
   * @param {Mocha.MochaOptions} options
   */
  constructor(runner, options) {
    super(runner, options);
    const { EVENT_RUN_END, EVENT_TEST_END } = Mocha.Runner.constants;
    const report = (/** @type {boolean} */ finished) => {
      const { passes, failures, pending } = this.stats;
      reportCounts({ passed: passes, failed: failures, skipped: pending, finished });
    };
    runner.on(EVENT_TEST_END, () => {
      report(false);
    });
    runner.once(EVENT_RUN_END, () => {
      report(true);
    });
  }
}
