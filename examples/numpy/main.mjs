// SPDX-License-Identifier: MIT
//
// A Float64Array becomes an array of numpy, and numpy's result comes back as a Float64Array.
import * as mp from 'node-multiprocessing';

const [ours, theirs] = mp.Pipe();
const child = new mp.PythonProcess({ target: 'waves:serve', args: [theirs], pythonPath: import.meta.dirname });
child.start();
theirs.close();

if ((await ours.recv()) === 'no numpy') {
  console.log('numpy is not installed for this Python.');
} else {
  // Two tones, one of 50 and one of 120 oscillations.
  const samples = Float64Array.from({ length: 1024 }, (_, i) => {
    const phase = (2 * Math.PI * i) / 1024;
    return Math.sin(50 * phase) + 0.5 * Math.sin(120 * phase);
  });
  // Without ndarray() it would be an array.array, since numpy may not be installed.
  await ours.send(mp.pickle.ndarray(samples));
  const spectrum = await ours.recv();
  console.log(spectrum.constructor.name, spectrum.length, spectrum.dtype, spectrum.shape);
  const peaks = [...spectrum.keys()].sort((a, b) => spectrum[b] - spectrum[a]).slice(0, 2);
  for (const frequency of peaks) console.log(`${frequency}: ${spectrum[frequency].toFixed(3)}`);

  // With a shape it becomes a matrix.
  const matrix = mp.pickle.ndarray(Float64Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
  await ours.send(matrix);
  const product = await ours.recv();
  console.log([...product], product.shape);
}
ours.close();
await child.join();
