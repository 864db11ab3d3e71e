// SPDX-License-Identifier: MIT
//
// killed send|receive: moves messages of many sizes over descriptor 3 as fast as it can, until it is killed. It prints
// "started" first.
import { writeSync } from 'node:fs';

import { Connection } from 'node-multiprocessing';

import { Random } from '../../helpers/random.js';
import { numbered } from '../support/numbered-messages.js';
import { sizes } from '../support/message-sizes.js';

const [way, seed] = process.argv.slice(2);
const connection = Connection.fromFd(3);
const random = new Random(Number(seed));
writeSync(1, 'started\n');
for (let i = 0; ; i++) {
  if (way === 'send') connection.sendBytesSync(numbered(i, random.pick(sizes)));
  else connection.recvBytesSync();
}
