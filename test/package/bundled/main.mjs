// A program that bundlers bundle; scripts/package/bundlers.mjs runs what they make of it. The child checks that its objects have
// the classes that it imports itself.
import mp, { JoinableQueue, Process } from 'node-multiprocessing';

async function main() {
  const queue = new JoinableQueue();
  const child = new Process({ module: process.argv[2], target: 'putKind', args: [queue] });
  child.start();
  const kind = await queue.get();
  await queue.taskDone();
  await child.join();
  console.log(kind, queue instanceof mp.JoinableQueue);
  queue.close();
}

main();
