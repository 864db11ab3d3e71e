import { spawn } from 'node:child_process';
import * as mp from 'node-multiprocessing';

const [ours, theirs] = mp.Pipe(true, { serialization: 'json' });
spawn('python3', [`${import.meta.dirname}/mean.py`], { stdio: [0, 1, 2, theirs.fileno()] });
theirs.close(); // The child has its own copy.

await ours.send([1, 2, 3, 6]);
console.log(await ours.recv());
ours.close(); // recv_bytes() raises EOFError.
