// SPDX-License-Identifier: MIT
//
// Mocha's spec reporter. It also writes the numbers of tests and the texts of failures to a file (see reportCounts).
import Mocha from 'mocha';
import { reportCounts } from './support.mjs';

export default class CountingReporter extends Mocha.reporters.Spec {
  /**
   * @param {Mocha.Runner} runner
   * @param {Mocha.MochaOptions} options
   */
  constructor(runner, options) {
    super(runner, options);
    const { EVENT_RUN_END, EVENT_TEST_END, EVENT_TEST_FAIL } = Mocha.Runner.constants;
    /** @type {string[]} */
    const texts = [];
    const report = (/** @type {boolean} */ finished) => {
      const { passes, failures, pending } = this.stats;
      reportCounts({ passed: passes, failed: failures, skipped: pending, failures: texts, finished });
    };
    // A hook that throws emits this event, too. The value that it throws need not be an Error.
    runner.on(EVENT_TEST_FAIL, (runnable, /** @type {unknown} */ error) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      texts.push(`${runnable.fullTitle()}\n${text}`);
    });
    runner.on(EVENT_TEST_END, () => {
      report(false);
    });
    runner.once(EVENT_RUN_END, () => {
      report(true);
    });
  }
}
