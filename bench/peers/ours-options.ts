// SPDX-License-Identifier: MIT
import * as mp from 'node-multiprocessing';

/** Whether a Sync call, or the event loop, may spin for a moment before it sleeps. */
export type Spin = 'none' | 'default';

const spinOptions: Readonly<Record<Spin, mp.ConnectionOptions>> = {
  none: { spinMicros: 0, asyncSpinMicros: 0 },
  default: {},
};

/** One process holds each end and a small message should not cost two reads, so both ends read ahead. */
export function connectionOptions(spin: Spin): mp.ConnectionOptions {
  return { readAhead: true, ...spinOptions[spin] };
}

/** The child's ends on the descriptors that it inherited: 3 for both directions, or 3 to read and 4 to write. */
export function inheritedEnds(
  kind: string | undefined,
  spin: string | undefined,
  more: mp.ConnectionOptions = {},
): { receive: mp.Connection; send: mp.Connection } {
  const options = { ...connectionOptions(spin as Spin), ...more };
  const receive = mp.Connection.fromFd(3, options);
  return { receive, send: kind === 'socketpair' ? receive : mp.Connection.fromFd(4, options) };
}
