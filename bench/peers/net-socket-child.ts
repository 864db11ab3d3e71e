// SPDX-License-Identifier: MIT
import { connect } from 'node:net';

import { jobFromArguments } from '../job.js';
import { FramedSocket } from './framed-socket.js';
import { answering } from './serve.js';

const [address = '', ...rest] = process.argv.slice(2);
const socket = connect(address);
const framed = new FramedSocket(
  socket,
  answering(jobFromArguments(rest), (message) => {
    framed.send(message);
  }),
);
