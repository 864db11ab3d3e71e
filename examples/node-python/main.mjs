import * as mp from 'node-multiprocessing';

const [ours, theirs] = mp.Pipe();
const child = new mp.PythonProcess({ target: 'mean:serve', args: [theirs], pythonPath: import.meta.dirname });
child.start();
theirs.close(); // The child has its own copy.

await ours.send([1, 2, 3, 6]);
console.log(await ours.recv());
ours.close(); // recv() raises EOFError.
await child.join();
