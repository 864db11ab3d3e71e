// SPDX-License-Identifier: MIT
import { jobFromArguments } from '../job.js';
import { codecs, type Serialization } from './process-send-codec.js';
import { answering } from './serve.js';

const [serialization, ...rest] = process.argv.slice(2);
const codec = codecs[serialization as Serialization];
const answer = answering(jobFromArguments(rest), (message) => {
  process.send?.(codec.encode(message));
});

// Nothing else keeps this process alive: it ends when the parent disconnects.
process.on('message', (message) => {
  answer(codec.decode(message));
});
