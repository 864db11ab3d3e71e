// SPDX-License-Identifier: MIT
//
// exit-variants <case>: ends in one of several ways with unwritten messages on the descriptors from 3 on.
import { writeSync } from 'node:fs';

import { Connection } from 'node-multiprocessing';

import { numbered } from '../support/numbered-messages.js';

function sendAll(connection: Connection<never, never>): void {
  for (let i = 0; i < 64; i++) connection.sendBytes(numbered(i, 16384)).catch(() => undefined);
}

const [name, ending] = process.argv.slice(2);
switch (name) {
  case 'listening':
    // A listener that is not called any more once the process is ending.
    process.on('SIGUSR2', () => undefined);
    sendAll(Connection.fromFd(3, { exitFlushMs: 60_000 }));
    writeSync(1, 'ending\n');
    process.exit(0);
    break;
  case 'several':
    for (let fd = 3; fd < 8; fd++) sendAll(Connection.fromFd(fd, { exitFlushMs: 3000 }));
    process.exit(0);
    break;
  case 'handlers': {
    const send = (value: number): void => {
      // Serialised in a large array, so that the six messages together do not fit the pipe.
      connection.send({ n: value, filling: Buffer.alloc(30_000) }).catch(() => undefined);
    };
    process.on('exit', () => {
      send(1);
      send(2);
      send(3);
    });
    const connection = Connection.fromFd<{ n: number; filling: Buffer }>(3, { exitFlushMs: 60_000 });
    process.on('exit', () => {
      send(4);
      send(5);
      send(6);
    });
    if (ending === 'exit') process.exit(0);
    if (ending === 'throw') throw new Error('thrown on purpose');
    break;
  }
  case 'discarded': {
    const connection = Connection.fromFd<never, never>(3, { exitFlushMs: 60_000 });
    sendAll(connection);
    connection.close({ discard: true });
    process.exit(0);
    break;
  }
  default:
    throw new Error(`There is no case ${name}`);
}
