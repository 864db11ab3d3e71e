// SPDX-License-Identifier: MIT
//
// exchange.mjs <node>: sends values to a program under another release of Node, which sends back what it has received; runs a
// child under it. Prints "exchanged".
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import * as mp from 'node-multiprocessing';

const file = fileURLToPath(import.meta.url);

export function fail() {
  throw new TypeError('of the child', { cause: new RangeError('the cause', { cause: ['漢', { deep: 1 }] }) });
}

const own = new Error('own fields', { cause: null });
const cause = new RangeError('the cause', { cause: new SyntaxError('last', { cause: 5 }) });
const error = new TypeError('ü 漢字', { cause });
const sparse = Object.assign([1, 2, 3], { key: 'of a list' });
Reflect.deleteProperty(sparse, 1);
const values = [
  new Error('plain'),
  new Error(''),
  own,
  error,
  { error, again: error, list: [cause, 'behind'] },
  new Error('a text', { cause: 'x'.repeat(300_000) }),
  { id: 1, name: 'ü', wide: '漢字', half: 0.5, big: -(2n ** 70n), 7: null, sparse, none: undefined, zero: -0 },
  [new Map([[{ a: 1 }, new Set([1])]]), new Date(5), /a+/giu, Object('boxed'), Object(1n), new Float64Array([1, NaN])],
  [Buffer.from('bytes'), new Uint8Array([1]).buffer, new DataView(new ArrayBuffer(3), 1), new BigInt64Array([-1n])],
];

/** The texts of an error, which a comparison of errors does not look at. */
const stackOf = (value) => (value instanceof Error ? [value.stack, stackOf(value.cause)] : undefined);

if (process.argv[2] === 'back') {
  const connection = mp.Connection.fromFd(3);
  for await (const value of connection) await connection.send(value);
} else if (mp.isMainProcess) {
  const [, , node] = process.argv;
  const [ours, theirs] = mp.Pipe();
  const other = spawn(node, [file, 'back'], { stdio: ['ignore', 'inherit', 'inherit', theirs.fileno()] });
  const exited = once(other, 'exit');
  theirs.close();
  for (const value of values) {
    await ours.send(value);
    const received = await ours.recv();
    assert.deepEqual(received, value);
    assert.deepEqual(stackOf(received), stackOf(value));
    assert.deepEqual(stackOf(received.error), stackOf(value.error));
  }
  ours.close();
  assert.deepEqual(await exited, [0, null]);

  const child = new mp.Process({ module: file, target: 'fail', execPath: node, stdio: 'ignore' });
  child.start();
  await assert.rejects(child.join(), (failure) => {
    assert.equal(failure.stage, 'run');
    assert.deepEqual(failure.cause, new TypeError('of the child', { cause: failure.cause.cause }));
    assert.deepEqual(failure.cause.cause, new RangeError('the cause', { cause: ['漢', { deep: 1 }] }));
    return true;
  });
  console.log('exchanged');
}
