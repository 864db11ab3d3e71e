// SPDX-License-Identifier: MIT
import { onHosts } from '../helpers/hosts.js';
import { cutsOff } from './support/hosts-scene.js';
import { onRedis } from './support/server.js';

describe(onHosts(onRedis('A queue over Redis on three hosts')), () => {
  cutsOff(['both']);
});
