// SPDX-License-Identifier: MIT
//
// several-daemons: starts a daemon that ignores SIGTERM for each of the descriptors from 3 to 5, and ends when a line on its
// standard input says so.
import { createInterface } from 'node:readline';

import { Connection, Process } from 'node-multiprocessing';

const module = new URL('./process-lifetime-targets.js', import.meta.url);

for (const fd of [3, 4, 5]) {
  const connection = Connection.fromFd(fd);
  const child = new Process({ module, target: 'ignoreTerm', args: [connection], daemon: true, stdio: 'ignore' });
  child.start();
  connection.close();
}
createInterface({ input: process.stdin }).once('line', () => process.exit(0));
