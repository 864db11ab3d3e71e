// SPDX-License-Identifier: MIT
//
// Arrays over shared memory within Node: arguments of the functions, channels, queues, children, threads, collection.
import { fstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { native } from '#lib/native/addon.js';
import { PoolMemory } from '#lib/python/pool-memory.js';
import { MessageContext } from '#lib/reduction/attachments.js';
import type { Exporter } from '#lib/reduction/exporters.js';
import { kReduce } from '#lib/reduction/registry.js';

import { RANGE, TYPE } from '../helpers/arguments.js';
import { packageRoot, rejects, throws, track, turns } from '../helpers/index.js';

const { sharedArray } = mp;
const peers = join(packageRoot, 'out', 'test', 'peers', 'shared-arrays-peer.js');

function blocks(): string[] {
  const folders = native.families.folders();
  if (typeof folders === 'number') return [];
  return folders.flatMap((folder) => readdirSync(folder)).filter((file) => file.includes('.array.'));
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

describe('sharedArray', () => {
  afterEach(async () => {
    do {
      collect();
      await turns();
      native.arrays.trim();
    } while (blocks().length > 0);
  });

  it('makes a typed array with a shape, and refuses wrong arguments', () => {
    const array = sharedArray(Float64Array, [2, 3]);
    expect([array.length, array.shape, array.dtype]).to.deep.equal([6, [2, 3], '<f8']);
    expect(array.buffer.byteLength).to.equal(48);
    expect(sharedArray(Uint8Array, 5).shape).to.deep.equal([5]);
    const copy = sharedArray.from(Int16Array.of(1, -2));
    expect([[...copy], copy.dtype, copy.shape]).to.deep.equal([[1, -2], '<i2', [2]]);
    expect(sharedArray.from(mp.pickle.ndarray(new Float32Array(4), [2, 2])).shape).to.deep.equal([2, 2]);
    for (const wrong of [undefined, Array, DataView, 'f8', {}, Buffer.alloc(1)]) {
      throws(() => sharedArray(wrong as never, 1), { code: TYPE });
    }
    for (const wrong of [-1, 0, 1.5, NaN, [2, 0], [2 ** 40, 2 ** 40]]) {
      throws(() => sharedArray(Uint8Array, wrong), { code: RANGE });
    }
    for (const wrong of [undefined, '3', ['3'], {}])
      throws(() => sharedArray(Uint8Array, wrong as never), { code: TYPE });
    throws(() => sharedArray(Uint8Array, 2 ** 47), { code: 'ENOSPC' });
    throws(() => sharedArray.from([1, 2] as never), { code: TYPE });
    throws(() => sharedArray.from(new Uint8Array()), { code: RANGE });
    throws(
      () => {
        sharedArray.release(new Uint8Array(3));
      },
      { code: TYPE },
    );
  });

  it('release() empties the array, and its memory is used again', async () => {
    const array = sharedArray(Uint8Array, 100);
    array.fill(7);
    const part = array.subarray(1);
    sharedArray.release(array);
    sharedArray.release(array);
    expect([array.length, part.length]).to.deep.equal([0, 0]);
    await turns();
    const before = blocks();
    const again = sharedArray(Uint8Array, 90);
    expect([again[0], again.length]).to.deep.equal([7, 90]);
    expect(blocks()).to.deep.equal(before);
  });

  it('is one memory for all that receive it, over pipes, queues and in objects', async () => {
    const array = sharedArray.from(mp.pickle.ndarray(Int32Array.of(1, 2, 3, 4), [2, 2]));
    const queue = new mp.Queue<unknown>();
    for (const [one, other] of [mp.Pipe(), mp.Pipe(false).reverse()] as mp.Connection[][]) {
      track(one as mp.Connection);
      track(other as mp.Connection);
      await one?.send({ array, same: array, part: array.subarray(1, 3) });
      const got = (await other?.recv()) as Record<string, Int32Array & { shape: number[] }>;
      expect(Object.values(got).map(({ buffer }) => buffer === array.buffer)).to.deep.equal([true, true, true]);
      expect(got['array']).to.equal(got['same']);
      expect([got['array']?.shape, [...(got['part'] ?? [])]]).to.deep.equal([
        [2, 2],
        [2, 3],
      ]);
    }
    await queue.put(array);
    expect(((await queue.get()) as Int32Array).buffer).to.equal(array.buffer);
    // Regression: the receiver could not decode it.
    await queue.put(new DataView(array.buffer, 4, 9));
    const view = (await queue.get()) as DataView;
    expect([view.buffer === array.buffer, view.byteLength, view.getInt32(0, true)]).to.deep.equal([true, 9, 2]);
    queue.close();
  });

  it('is copied by what is not a message', () => {
    const array = sharedArray.from(Float64Array.of(1, 2));
    const copies = [structuredClone(array), mp.pickle.loads(mp.pickle.dumps(array)) as Float64Array];
    array[0] = 9;
    for (const copy of copies) expect([...copy]).to.deep.equal([1, 2]);
  });

  it('goes to Node processes as argument, in tasks of pools and back, and stays when its maker ends', async () => {
    const array = sharedArray.from(Float64Array.of(1, 2));
    const [ours, theirs] = mp.Pipe();
    track(ours);
    const child = new mp.Process({ module: peers, target: 'makeAndChange', args: [theirs, array] });
    child.start();
    theirs.close();
    const [same, made] = (await ours.recv()) as [Float64Array, Float64Array];
    expect([same.buffer === array.buffer, array[0]]).to.deep.equal([true, 5]);
    await ours.send('end');
    await child.join();
    expect([...made]).to.deep.equal([6, 7]);
    const pool = new mp.Pool({ module: peers, target: 'addOne', processes: 1 });
    const result = (await pool.apply([made])) as Float64Array;
    expect([result.buffer === made.buffer, [...made]]).to.deep.equal([true, [7, 8]]);
    const fresh = (await pool.apply([[1, 2]], { target: 'copyOf' })) as Float64Array;
    await pool.terminate();
    expect([...fresh]).to.deep.equal([1, 2]);
    made[0] = 1;
  });

  it('is collected, and 1,000 of them leave nothing, also from a thread that is terminated', async () => {
    for (let i = 0; i < 1000; i++) {
      sharedArray(Uint8Array, 1000)[0] = 1;
      if (i % 100 === 99) {
        collect();
        await turns();
      }
    }
    expect(blocks().length).to.be.lessThan(500);
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const { sharedArray } = require(workerData);
       globalThis.kept = Array.from({ length: 10 }, () => sharedArray(Uint8Array, 100000));
       parentPort.postMessage('made');
       setInterval(() => undefined, 1000);`,
      { eval: true, workerData: join(packageRoot, 'dist', 'index.cjs') },
    );
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
  });

  it('a send that fails gives back its share in the memory', async () => {
    const array = sharedArray(Uint8Array, 100);
    const [ours, theirs] = mp.Pipe();
    theirs.close();
    await ours.send(array).then(
      () => expect.fail('sent'),
      () => undefined,
    );
    ours.close();
    const [left, right] = mp.Pipe(true, { serialization: 'pickle' });
    track(left);
    track(right);
    // The second part cannot be pickled.
    await left.send([array, () => 1]).then(
      () => expect.fail('sent'),
      () => undefined,
    );
    sharedArray.release(array);
    await turns();
    expect(native.arrays.trim()).to.equal(true);
    expect(blocks()).to.have.lengthOf(0);
  });

  it('is not given up with a value that cannot be sent and whose getter has sent it elsewhere', async () => {
    // Regression: what the getter had sent could not be opened any more.
    const array = sharedArray.from(Uint8Array.of(1, 2));
    const [left, right] = mp.Pipe();
    track(left);
    track(right);
    const queue = new mp.Queue<unknown>();
    const sent: Promise<void>[] = [];
    const item = {
      get first() {
        return sent.push(left.send(array));
      },
      second: () => 1,
    };
    await rejects(queue.put(item), { code: 'ERR_MP_PICKLING' });
    await Promise.all(sent);
    sharedArray.release(array);
    await turns();
    expect(native.arrays.trim()).to.equal(false);
    // The getter runs once more for the error.
    for (let i = 0; i < sent.length; i++) {
      const received = (await right.recv()) as Uint8Array;
      expect([...received]).to.deep.equal([1, 2]);
      if (i === sent.length - 1) sharedArray.release(received);
    }
    queue.close();
  });

  // Regression: messages that were never received held their memory until their sender ended.
  describe('in a message that no process can receive any more', () => {
    const cases: Record<string, (array: Uint8Array) => Promise<void>> = {
      'an item of a queue that all have closed': async (array) => {
        const queue = new mp.Queue<unknown>();
        await queue.put(array);
        await queue.put([array, array]);
        queue.close();
      },
      'an item of a queue of pickles': async (array) => {
        const queue = new mp.Queue<unknown>({ serialization: 'pickle' });
        await queue.put(array);
        queue.close();
      },
      'an item of a SimpleQueue that was collected': async (array) => {
        await new mp.SimpleQueue<unknown>().put(array);
      },
      'a message in a pipe whose reader has closed': async (array) => {
        const [reader, writer] = mp.Pipe(false);
        track(writer);
        await writer.send(array);
        reader.close();
      },
      'a message in a pipe whose ends have both closed': async (array) => {
        const [reader, writer] = mp.Pipe(false);
        writer.sendSync(array);
        writer.close();
        reader.close();
        return Promise.resolve();
      },
      'a message to a peer that has closed': async (array) => {
        const [ours, theirs] = mp.Pipe();
        track(ours);
        await ours.send({ array });
        theirs.close();
      },
      'a pickle to a peer that has closed before this end': async (array) => {
        const [ours, theirs] = mp.Pipe(true, { serialization: 'pickle' });
        await ours.send({ array });
        theirs.close();
        ours.close();
      },
      'a pickle that could not be written': async (array) => {
        const [ours, theirs] = mp.Pipe(true, { serialization: 'pickle' });
        theirs.close();
        track(ours);
        await rejects(ours.send({ array }), { code: 'EPIPE' });
      },
      'a pickle that was withdrawn': async (array) => {
        const [ours, theirs] = mp.Pipe(true, { serialization: 'pickle' });
        track(ours);
        track(theirs);
        const large = ours.sendBytes(Buffer.alloc(2 ** 24));
        await rejects(ours.send({ array }, { timeout: 1 }), { code: 'ERR_MP_TIMEOUT' });
        await theirs.recvBytes();
        await large;
      },
      'an item for which there was no slot': async (array) => {
        const queue = new mp.Queue<unknown>(1);
        await queue.put(0);
        await rejects(queue.put(array, { timeout: 1 }), { code: 'ERR_MP_FULL' });
        throws(() => queue.putNowait(array), { code: 'ERR_MP_FULL' });
        throws(() => queue.putSync([array], { block: false }), { code: 'ERR_MP_FULL' });
        expect(await queue.get()).to.equal(0);
        // Else the end of the queue would give the memory back.
        afterwards = () => queue.close();
      },
      'an item of a queue whose last member was killed': async (array) => {
        const queue = new mp.Queue<unknown>();
        const [ours, theirs] = mp.Pipe();
        const child = new mp.Process({ module: peers, target: 'holdQueue', args: [theirs, queue] });
        child.start();
        theirs.close();
        expect(await ours.recv()).to.equal('ready');
        await queue.put(array);
        queue.close();
        await queue.joinThread();
        sharedArray.release(array);
        await turns();
        expect(native.arrays.trim(), 'the child can still get it').to.equal(false);
        child.kill();
        await child.join();
        ours.close();
      },
    };
    let afterwards = (): void => undefined;
    for (const [what, send] of Object.entries(cases)) {
      it(`gives its memory back: ${what}`, async () => {
        const array = sharedArray(Uint8Array, 100);
        array[0] = 7;
        await send(array);
        sharedArray.release(array);
        for (let i = 0; i < 100 && blocks().length > 0; i++) {
          collect();
          await turns();
          native.arrays.trim();
        }
        const left = blocks();
        afterwards();
        expect(left).to.have.lengthOf(0);
      });
    }
  });
});

describe('The file for the large arrays of a pool', () => {
  const large = new Float64Array(2 ** 17);

  /** The file, and what its size is. */
  function make(): { memory: PoolMemory; size: () => number } {
    const memory = new PoolMemory();
    const fds: number[] = [];
    memory[kReduce]({ descriptor: (fd: number) => ({ fd: fds.push(fd) }) } as unknown as Exporter);
    return { memory, size: () => fstatSync(fds[0] as number).size };
  }

  it('is given back when no task has arrays in it, and used again', () => {
    const { memory, size } = make();
    for (let i = 0; i < 2; i++) {
      expect(memory.put(large, new MessageContext())).to.not.equal(undefined);
      memory.sent();
      expect([memory.giveBack(), size() > large.byteLength]).to.deep.equal([false, true]);
      memory.received(true);
      expect([memory.giveBack(), size()]).to.deep.equal([true, 4096]);
    }
    memory.close();
  });

  it('takes the place of an array again that was not sent, and refuses what is not in it', () => {
    const { memory, size } = make();
    const context = new MessageContext();
    memory.put(large, context);
    const before = size();
    context.failed();
    memory.put(large, new MessageContext());
    expect(size()).to.equal(before);
    for (const [at, kind, shape] of [
      [0, '<f8', [2]],
      [4096, '<f8', [-1]],
      [4096, '<f8', [2 ** 40]],
      [4096, '>f8', [2]],
      [4096, '|O8', [2]],
      [4096.5, '<f8', [2]],
      [before, '<f8', [2]],
      ['4096', '<f8', [2]],
    ]) {
      expect(() => memory.take(at, kind, shape), String([at, kind, shape])).to.throw();
    }
    // More than fits into the file.
    expect(() => {
      for (;;) memory.take(4096, '<f8', [2 ** 17]);
    }).to.throw('too many');
    memory.received(true);
    expect(memory.take(4096 + 128, '<f8', [2]).shape).to.deep.equal([2]);
    memory.close();
    expect(() => memory.take(4096, '<f8', [2])).to.throw();
    expect(memory.put(large, context)).to.equal(undefined);
  });

  it('is no way for an array in any other message', async () => {
    const bytes = mp.pickle.dumps(
      new mp.pickle.PythonObject(
        new mp.pickle.PythonGlobal('<node-multiprocessing>', 'take'),
        [4096, '<f8', [2]],
        false,
      ),
    );
    const [ours, theirs] = mp.Pipe(true, { serialization: 'pickle' });
    track(ours);
    track(theirs);
    await ours.sendBytes(bytes);
    await rejects(theirs.recv(), { code: 'ERR_MP_UNPICKLING' });
  });
});
