// SPDX-License-Identifier: MIT
import { Channel } from './channel.js';
import { ChannelFormat } from './channel-format.js';
import { Connection } from './connection.js';
import { checkOptions, connectionNames, type ConnectionOptions } from './options.js';
import { argumentError } from '../core/errors.js';
import { checkBoolean, checkOptionNames } from '../core/validate.js';

/**
 * Makes two Connections with a pipe between them. CPython: `multiprocessing.Pipe(duplex)`.
 *
 * @param duplex True (the default): both ends send and receive (a socketpair). False: the first only receives and the
 *   second only sends (a pipe).
 * @param options The options of both ends.
 */
export function Pipe<A = unknown, B = A>(
  duplex?: true,
  options?: ConnectionOptions,
): [Connection<A, B>, Connection<B, A>];
export function Pipe<T = unknown>(
  duplex: false,
  options?: ConnectionOptions,
): [Connection<never, T>, Connection<T, never>];
export function Pipe(
  duplex = true,
  options: ConnectionOptions = {},
): [Connection<never, never>, Connection<never, never>] {
  if (typeof duplex === 'object') {
    throw argumentError(
      'type',
      'duplex must be a boolean, not an object: options come second, as in Pipe(true, options)',
    );
  }
  checkBoolean(duplex, 'duplex');
  checkOptionNames(options, connectionNames);
  const channelOptions = checkOptions(options, true, true);
  const serialization = new ChannelFormat(options.serialization, false, options.takesConnections);
  const [first, second] = Channel.pair(duplex, channelOptions);
  return [Connection.over(first, serialization), Connection.over(second, serialization)];
}
