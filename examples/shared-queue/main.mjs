import * as mp from 'node-multiprocessing';

const [jobs, results] = [new mp.Queue(), new mp.Queue()];
const args = [jobs, results];
const python = new mp.PythonProcess({ target: 'words:count', args, pythonPath: import.meta.dirname });
python.start();

for (const text of ['to be or not to be', 'all is well that ends well']) await jobs.put(text);
console.log(await results.get(), await results.get());
await jobs.put(null); // None ends the function.
await python.join();
