// SPDX-License-Identifier: MIT
//
// sync-progress <call>: sends on descriptor 3 without awaiting, then makes a Sync call on descriptor 4. With "exchange"
// both happen on descriptor 3.
import { writeSync } from 'node:fs';

import { Connection, waitSync } from 'node-multiprocessing';

import { expectNumbered, numbered } from '../support/numbered-messages.js';

const COUNT = 64;
const SIZE = 16384;

const first = Connection.fromFd(3);
for (let i = 0; i < COUNT; i++) first.sendBytes(numbered(i, SIZE)).catch(() => undefined);

const call = process.argv[2];
if (call === 'exchange') {
  for (let i = 0; i < COUNT; i++) expectNumbered(first.recvBytesSync(), i, SIZE);
} else {
  const second = Connection.fromFd(4);
  if (call === 'recvBytesSync') second.recvBytesSync();
  else if (call === 'pollSync') second.pollSync(null);
  else if (call === 'waitSync') waitSync([second]);
  else for (let i = 0; i < COUNT; i++) second.sendBytesSync(numbered(i, SIZE));
}
writeSync(1, '"done"\n');
