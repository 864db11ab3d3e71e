// SPDX-License-Identifier: MIT
//
// Formats amounts of money, for which JavaScript has better support than Python.
export async function format(tasks, results, lock, { locale }) {
  for (;;) {
    const task = await tasks.get();
    if (task !== null) {
      const { amount, currency } = task;
      await lock.withLock(() =>
        results.put(new Intl.NumberFormat(locale, { style: 'currency', currency }).format(amount)),
      );
    }
    await tasks.taskDone();
    if (task === null) return;
  }
}
