// SPDX-License-Identifier: MIT
//
// A program whose child is TypeScript, too. scripts/package/matrix.mjs writes where it is, as both kinds of modules say it.
import * as mp from 'node-multiprocessing';

export async function double(numbers: mp.Queue<number>): Promise<void> {
  const value: number = await numbers.get();
  await numbers.put(2 * value);
}

async function main(): Promise<void> {
  const numbers = new mp.Queue<number>();
  await numbers.put(21);
  const child = new mp.Process({ module: '<module>', target: double, args: [numbers] });
  child.start();
  await child.join();
  console.log(await numbers.get());
  numbers.close();
}

if (mp.isMainProcess) void main();
