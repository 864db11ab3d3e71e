import { spawn } from 'node:child_process';
import * as mp from 'node-multiprocessing';

const [ours, theirs] = mp.Pipe();
spawn(process.execPath, [`${import.meta.dirname}/adder.mjs`], { stdio: [0, 1, 2, theirs.fileno()] });
theirs.close(); // The child has its own copy. With this one open, the end of data would never come.

await ours.send([3, 4]);
console.log(await ours.recv());
await ours.send(['Hello', 'World']);
console.log(await ours.recv());
ours.close(); // This ends the loop of the child.
