// SPDX-License-Identifier: MIT
//
// Receives until the end of data, and looks for messages before it sleeps.
import { Connection, EOFError } from 'node-multiprocessing';

const connection = Connection.fromFd(3, { asyncSpinMicros: 50 });
process.on('exit', () => {
  console.log('natural end');
});
const received = connection.recv();
console.log('receiving');
try {
  await received;
} catch (error) {
  if (!(error instanceof EOFError)) throw error;
  console.log('end');
}
