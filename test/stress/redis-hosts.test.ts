// SPDX-License-Identifier: MIT
import { onHosts } from '../helpers/hosts.js';
import { cutsOff } from '../redis/support/hosts-scene.js';
import { onRedis } from '../redis/support/server.js';

describe(onHosts(onRedis('A queue over Redis on three hosts, with loss in one direction')), () => {
  cutsOff(['sent', 'received']);
});
