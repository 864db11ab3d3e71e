// SPDX-License-Identifier: MIT
//
// How Connections that were passed on are rebuilt. CPython: `reduction.register(Connection, reduce_connection)`.
import { registerRebuild } from '../reduction/registry.js';
import { rebuildChannel } from './channel-reduction.js';
import { Connection } from './connection.js';

registerRebuild(['Connection'], (fields, name, importer) => {
  const { channel, format } = rebuildChannel(fields, name, importer);
  return Connection.over(channel, format);
});
