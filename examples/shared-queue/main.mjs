import * as mp from 'node-multiprocessing';

const [jobs, results] = [new mp.Queue(), new mp.Queue()];
const python = new mp.PythonProcess({
  target: 'words:count',
  args: [jobs, results],
  pythonPath: import.meta.dirname,
});
python.start();

await jobs.put('to be or not to be');
await jobs.put('all is well that ends well');
console.log(await results.get(), await results.get());
await jobs.put(null); // None ends the function.
await python.join();
