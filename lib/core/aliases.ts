// SPDX-License-Identifier: MIT

/** CPython's own spellings, for code that moves between the languages. */
const ALIASES = {
  recv_bytes: 'recvBytes',
  send_bytes: 'sendBytes',
  recv_bytes_into: 'recvBytesInto',
  get_nowait: 'getNowait',
  put_nowait: 'putNowait',
  task_done: 'taskDone',
  join_thread: 'joinThread',
  cancel_join_thread: 'cancelJoinThread',
} as const;

/** Defines the aliases of the methods that a class has. */
export function defineAliases(prototype: object): void {
  for (const [alias, method] of Object.entries(ALIASES)) {
    if (!(method in prototype)) continue;
    Object.defineProperty(prototype, alias, {
      value(this: Record<string, (...args: unknown[]) => unknown>, ...args: unknown[]) {
        return (this[method] as (...args: unknown[]) => unknown)(...args);
      },
      configurable: true,
      writable: true,
    });
  }
}
