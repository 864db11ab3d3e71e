// SPDX-License-Identifier: MIT
//
// A single executable application, which is no Node: the package lies beside it, and its first argument is the Node for children.
const { createRequire } = require('node:module');
const path = require('node:path');
const mp = createRequire('<folder>')('node-multiprocessing');

async function main() {
  const queue = new mp.JoinableQueue();
  const options = { module: path.join('<folder>', 'child.mjs'), target: 'putKind', args: [queue] };
  let refused = 'accepted';
  try {
    new mp.Process(options).start();
  } catch (error) {
    if (error.code === 'ERR_MP_NOT_SUPPORTED' && error.message.includes('execPath')) refused = 'refused';
  }
  const child = new mp.Process({
    ...options,
    execPath: process.argv.find((argument) => argument.endsWith('/bin/node')),
  });
  child.start();
  console.log(refused, await queue.get());
  await queue.taskDone();
  await child.join();
  queue.close();
}

main();
