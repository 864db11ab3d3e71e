// SPDX-License-Identifier: MIT

/** A client of a Redis that is away, for tests of what needs none. */
export const awayRedis = {
  duplicate: () => awayRedis,
  sendCommand: () => Promise.reject(new Error('away')),
  on: () => awayRedis,
  connect: () => Promise.resolve(awayRedis),
  destroy: () => undefined,
};
