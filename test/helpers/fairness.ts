// SPDX-License-Identifier: MIT

/** Repeats a step that never has to wait until timers have run, up to a limit. Errors of the step do not count. */
export async function timersDuring(step: () => Promise<unknown>, enough = 20, limit = 500_000): Promise<number> {
  let timers = 0;
  const interval = setInterval(() => timers++, 1);
  try {
    for (let i = 0; i < limit && timers < enough; i++) await step().catch(() => undefined);
    return timers;
  } finally {
    clearInterval(interval);
  }
}
