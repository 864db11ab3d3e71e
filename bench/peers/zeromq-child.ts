// SPDX-License-Identifier: MIT
import { jobFromArguments } from '../job.js';
import { makePair } from './zeromq-pair.js';

const [address = '', ...rest] = process.argv.slice(2);
const job = jobFromArguments(rest);
const pair = makePair();
pair.connect(address);
await pair.send('ready');

let received = 0;
for (;;) {
  const [message] = await pair.receive();
  if (message.length === 0) break;
  if (job.mode === 'round-trip') {
    await pair.send(message);
  } else if (++received === job.batch) {
    received = 0;
    await pair.send('1');
  }
}
pair.close();
