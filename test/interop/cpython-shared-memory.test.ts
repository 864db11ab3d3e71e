// SPDX-License-Identifier: MIT
//
// CPython's own tests of shared memory, from Lib/test/_test_multiprocessing.py, with a Node parent and each kind of child,
// and with a Python parent and a Node child. The titles begin with their names.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { closingAfterEach, RANGE } from '../helpers/arguments.js';
import {
  edgePythons,
  foreignEnv,
  packageRoot,
  pythonPeer,
  pythons,
  rejects,
  spawnPeer,
  throws,
  track,
  type AnyConnection,
  type Python,
} from '../helpers/index.js';

const folder = join(packageRoot, 'test', 'peers');
const nodePeers = join(packageRoot, 'out', 'test', 'peers', 'shared-memory-peer.js');

/** A kind of child, by the names of its functions in Node and in Python. */
interface Side {
  readonly title: string;
  readonly python?: Python;
}

const sides: readonly Side[] = [
  { title: 'Node' },
  ...edgePythons().map((python) => ({ title: `Python ${python.version}`, python })),
];

interface Talk {
  readonly child: mp.Process | mp.PythonProcess;
  readonly conn: AnyConnection;
}

/** Starts a function with `args` and a connection. */
function start({ python }: Side, name: string, ...args: readonly unknown[]): Talk {
  const [ours, theirs] = mp.Pipe();
  track(ours);
  const all = [...args, theirs];
  const inPython = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const child =
    python === undefined
      ? new mp.Process({ module: nodePeers, target: name, args: all })
      : new mp.PythonProcess({
          target: `shared_memory_peer:${inPython}`,
          args: all,
          python: python.path,
          pythonPath: folder,
          env: foreignEnv(),
        });
  child.start();
  theirs.close();
  return { child, conn: ours as AnyConnection };
}

async function ends(...talks: readonly Talk[]): Promise<void> {
  for (const { child } of talks) {
    await child.join();
    expect(child.exitcode).to.equal(0);
  }
}

const codes = [
  ['i', 4343, 24234],
  ['d', 3.625, -4.25],
  ['h', -232, 234],
  ['q', 2 ** 33, 2 ** 34],
  ['c', Buffer.from('x'), Buffer.from('y')],
  ['u', 'a', 'b'],
] as const;

function blocks(): string[] {
  return readdirSync('/dev/shm').filter((name) => name.startsWith('psm_'));
}

describe('Shared memory with peers', () => {
  const closing = closingAfterEach();

  for (const side of sides) {
    describe(side.title, () => {
      for (const [title, Class, types] of [
        ['_TestValue.test_value', mp.Value, ['Synchronized', 'Value']],
        ['_TestValue.test_rawvalue', mp.RawValue, ['c_', 'RawValue']],
      ] as const) {
        it(`${title}: changes values of all types`, async () => {
          const values = codes.map(([code, before]) => closing(new Class(code, before as never)));
          const talk = start(side, 'setValues', values);
          const names = (await talk.conn.recv()) as string[];
          expect(names.every((name) => types.some((type) => name.startsWith(type)))).to.equal(true);
          expect(values.map(({ value }) => value)).to.deep.equal(codes.map(([, , after]) => after));
          await ends(talk);
        });
      }

      for (const [title, Class] of [
        ['_TestArray.test_array', mp.Array],
        ['_TestArray.test_rawarray', mp.RawArray],
      ] as const) {
        it(`${title}: changes the elements`, async () => {
          const array = closing(new Class('i', [680, 626, 934, 821, 150]));
          const talk = start(side, 'addUp', array);
          await talk.conn.recv();
          expect(array.slice()).to.deep.equal([680, 1306, 2240, 3061, 3211]);
          await ends(talk);
        });
      }

      it('_TestArray.test_getobj_getlock_obj: a lock that it was given goes along, or its own', async () => {
        for (const lock of [closing(new mp.Lock()), undefined]) {
          const array = closing(new mp.Array('i', [1, 2], { lock }));
          expect(array.getLock()).to.be.instanceOf(lock === undefined ? mp.RLock : mp.Lock);
          const talk = start(side, 'addUp', array);
          await talk.conn.recv();
          const raw = closing(array.getObj());
          expect([raw.slice(), array.slice()]).to.deep.equal([
            [1, 3],
            [1, 3],
          ]);
          await ends(talk);
        }
      });

      it('_TestSharedCTypes.test_sharedctypes: several objects, with a lock in common', async () => {
        const lock = closing(new mp.Lock());
        const x = closing(new mp.Value('i', 7, { lock }));
        const y = closing(new mp.Value('d', 1 / 3, { lock }));
        const array = closing(new mp.Array('d', 10, { lock }));
        const string = closing(new mp.Array('c', 20, { lock }));
        array.assign(Array.from({ length: 10 }, (_, i) => i));
        string.view().write('hello');
        const talk = start(side, 'double', x, y, array, string);
        expect(await talk.conn.recv()).to.equal('doubled');
        expect([x.value, y.value]).to.deep.equal([14, 2 / 3]);
        expect(array.slice()).to.deep.equal([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
        expect(string.view().toString()).to.equal('hellohello'.padEnd(20, '\0'));
        await ends(talk);
      });

      it('_TestSharedCTypes.test_synchronize: increments under the lock add up', async () => {
        const value = closing(new mp.Value('i'));
        const talks = [start(side, 'increment', value, 200), start(side, 'increment', value, 200)];
        for (let i = 0; i < 200; i++) await value.withLock(() => value.value++);
        for (const { conn } of talks) expect(await conn.recv()).to.equal('done');
        expect(value.value).to.equal(600);
        await ends(...talks);
      });

      it('_TestSharedMemory.test_shared_memory_across_processes: both sides write, and both see it', async () => {
        const shm = closing(new mp.SharedMemory({ create: true, size: 100 }));
        shm.write(Buffer.from('hello'));
        const talk = start(side, 'exchange', shm);
        const [name, size, begin] = (await talk.conn.recv()) as [string, number, Uint8Array];
        expect([name, size, Buffer.from(begin).toString()]).to.deep.equal([shm.name, 100, 'hello']);
        expect(await talk.conn.recv()).to.equal('written');
        expect(shm.read(0, 5).toString()).to.equal('howdy');
        expect(shm.buf[99]).to.equal(9);
        await ends(talk);
        expect(blocks()).to.deep.equal([shm.name]);
        shm.unlink();
      });

      it('_TestSharedMemory.test_shared_memory_pickle_unpickle: is one block in a message, and none when dead', async () => {
        const talk = start(side, 'openAll');
        const shm = closing(new mp.SharedMemory({ create: true, size: 10 }));
        shm.write(Buffer.from('alive'));
        await talk.conn.send(shm);
        expect(Buffer.from((await talk.conn.recv()) as Uint8Array).toString()).to.equal('alive');
        expect(shm.buf[0]).to.equal(1);
        shm.unlink();
        await talk.conn.send(shm);
        expect(await talk.conn.recv()).to.equal('dead');
        await ends(talk);
      });

      it('_TestSharedMemory: a child makes a block that this process opens by its name', async () => {
        const talk = start(side, 'make');
        const shm = closing(new mp.SharedMemory({ name: (await talk.conn.recv()) as string }));
        expect([shm.size, shm.read(0, 5).toString()]).to.deep.equal([100, 'hello']);
        await talk.conn.send('unlink');
        expect(await talk.conn.recv()).to.equal('unlinked');
        throws(() => new mp.SharedMemory({ name: shm.name }), { code: 'ENOENT' });
        // The memory stays for those that have it.
        shm.write(Buffer.from('x'), 99);
        await ends(talk);
      });

      it('_TestBarrier.test_barrier: nobody passes before all have come, again and again', async () => {
        const barrier = closing(new mp.Barrier(3));
        const talks = [start(side, 'passBarrier', barrier, 4), start(side, 'passBarrier', barrier, 4)];
        for (let i = 0; i < 4; i++) {
          const indices = [await barrier.wait(), ...(await Promise.all(talks.map(({ conn }) => conn.recv())))];
          expect(indices.sort()).to.deep.equal([0, 1, 2]);
        }
        await ends(...talks);
      });

      it('_TestBarrier.test_abort: breaks it for those that wait, and for good', async () => {
        const barrier = closing(new mp.Barrier(3));
        const waiting = barrier.wait();
        const talk = start(side, 'breakBarrier', barrier, 'abort');
        expect(await talk.conn.recv()).to.deep.equal([3, 1, false]);
        await talk.conn.send('go');
        await rejects(waiting, { code: 'ERR_MP_BROKEN_BARRIER' });
        expect(await talk.conn.recv()).to.equal('done');
        await rejects(barrier.wait(), { code: 'ERR_MP_BROKEN_BARRIER' });
        expect(barrier.broken).to.equal(true);
        await ends(talk);
      });

      it('_TestBarrier.test_reset: those that wait fail, and the next ones do not', async () => {
        const barrier = closing(new mp.Barrier(2));
        const waiting = barrier.wait();
        const talk = start(side, 'breakBarrier', barrier, 'reset');
        await talk.conn.recv();
        await talk.conn.send('go');
        await rejects(waiting, { code: 'ERR_MP_BROKEN_BARRIER' });
        expect(await talk.conn.recv()).to.equal('done');
        await ends(talk);
        expect(barrier.broken).to.equal(false);
        expect((await Promise.all([barrier.wait(), barrier.wait()])).sort()).to.deep.equal([0, 1]);
      });

      it('_TestBarrier.test_abort_and_reset: after both it is as new, for all', async () => {
        const barrier = closing(new mp.Barrier(3));
        const breaker = start(side, 'breakBarrier', barrier, 'abort');
        await breaker.conn.recv();
        const waiting = barrier.wait();
        await breaker.conn.send('go');
        await rejects(waiting, { code: 'ERR_MP_BROKEN_BARRIER' });
        expect(await breaker.conn.recv()).to.equal('done');
        await barrier.reset();
        const talks = [start(side, 'passBarrier', barrier, 1), start(side, 'passBarrier', barrier, 1)];
        const indices = await Promise.all([barrier.wait(), ...talks.map(({ conn }) => conn.recv())]);
        expect(indices.sort()).to.deep.equal([0, 1, 2]);
        await ends(breaker, ...talks);
      });

      it('_TestBarrier.test_thousand: is passed a thousand times, and not once by one alone', async () => {
        const barrier = closing(new mp.Barrier(2));
        const talk = start(side, 'passBarrier', barrier, 1000);
        for (let i = 0; i < 1000; i++) {
          const [ours, theirs] = await Promise.all([barrier.wait(), talk.conn.recv()]);
          expect(ours + (theirs as number)).to.equal(1);
        }
        await ends(talk);
      });

      it('_TestBarrier.test_timeout: a wait that is too long breaks it for the others', async () => {
        const barrier = closing(new mp.Barrier(3));
        const talk = start(side, 'breakBarrier', barrier, 'wait');
        await talk.conn.recv();
        await talk.conn.send('go');
        await rejects(barrier.wait({ timeout: 20 }), { code: 'ERR_MP_BROKEN_BARRIER' });
        expect(await talk.conn.recv()).to.equal('broken');
        await ends(talk);
      });
    });
  }

  for (const python of pythons()) {
    it(`_TestSharedMemory.test_shared_memory_ShareableList_basics: a list of Python ${python.version}`, async () => {
      const talk = start({ title: '', python }, 'makeList');
      const items = closing(new mp.ShareableList(undefined, { name: (await talk.conn.recv()) as string }));
      const expected = ['howdy', Buffer.from('HoWdY'), -273.154, 100, null, true, 'grüß dich', 2n ** 62n];
      expect([...items]).to.deep.equal(expected);
      items.set(0, 'tidings');
      items.set(1, Buffer.from('x'));
      items.set(3, false);
      items.set(6, null);
      await talk.conn.send('go');
      const changed = (await talk.conn.recv()) as unknown[];
      expect(changed).to.deep.equal(['tidings', Buffer.from('x'), -273.154, false, null, true, null, 2n ** 62n]);
      await ends(talk);
    });
  }

  for (const side of sides.filter(({ python }) => python?.version !== '3.8')) {
    it(`_TestSharedMemory.test_shared_memory_ShareableList_pickling: a list for ${side.title}`, async () => {
      const items = closing(new mp.ShareableList(['a', 'b', 1.5, null, 7]));
      const talk = start(side, 'changeList', items);
      const [name, content, format] = (await talk.conn.recv()) as unknown[];
      expect([name, content]).to.deep.equal(['ShareableList', ['a', 'b', 1.5, null, 7]]);
      if (side.python !== undefined) expect(format).to.equal('8s8sdxxxxxx?xq');
      expect(await talk.conn.recv()).to.equal('refused');
      expect([...items]).to.deep.equal(['x', 'b', null, null, 42]);
      await ends(talk);
      throws(() => items.set(7, 1), { code: RANGE });
      items.shm.unlink();
    });
  }

  for (const python of edgePythons()) {
    it(`works between a Python ${python.version} parent and Node children`, async () => {
      const output = await spawnPeer(pythonPeer(python, 'shared_memory_peer'), { args: [nodePeers] }).succeeded();
      expect(output.trim().split('\n')).to.deep.equal(['values', 'arrays', 'locks', 'memory', 'lists', 'barriers']);
      expect(blocks()).to.deep.equal([]);
    });
  }

  it('_TestSharedMemory.test_shared_memory_cleaned_after_process_termination: also after a kill', async () => {
    // A program of its own: its family ends with it.
    const program = `
      import * as mp from 'node-multiprocessing';
      const shm = new mp.SharedMemory({ create: true, size: 10 });
      if (process.argv[1] === 'kill') process.kill(process.pid, 'SIGKILL');
      console.log(shm.name);`;
    const { spawnSync } = await import('node:child_process');
    const run = (...args: string[]): void => {
      spawnSync(process.execPath, ['--input-type=module', '-e', program, ...args], { cwd: packageRoot });
    };
    run();
    expect(blocks()).to.deep.equal([]);
    run('kill');
    expect(blocks()).to.have.length(1);
    // A process that begins a family sweeps what others have left.
    run();
    expect(blocks()).to.deep.equal([]);
  });

  for (const side of sides) {
    it(`stays when a process of another family has only opened it (${side.title})`, async () => {
      // Regression: the resource tracker of a Python child took what it had opened for its own, and removed it.
      const program = `
        import { SharedMemory } from ${JSON.stringify(join(packageRoot, 'dist', 'index.js'))};
        const shm = new SharedMemory({ create: true, size: 10 });
        shm.write(Buffer.from('hello'));
        console.log(shm.name);
        process.stdin.once('data', () => { shm.write(Buffer.from('x')); shm.unlink(); process.exit(0); });`;
      const { spawn } = await import('node:child_process');
      const owner = spawn(process.execPath, ['--input-type=module', '-e', program]);
      const name = await new Promise<string>((resolve) =>
        owner.stdout.once('data', (data) => resolve(String(data).trim())),
      );
      const parent = `
        import * as mp from ${JSON.stringify(join(packageRoot, 'dist', 'index.js'))};
        const [ours, theirs] = mp.Pipe();
        const options = { args: [${JSON.stringify(name)}, theirs] };
        const child = ${JSON.stringify(side.python?.path ?? '')} === ''
          ? new mp.Process({ ...options, module: ${JSON.stringify(nodePeers)}, target: 'attach' })
          : new mp.PythonProcess({ ...options, target: 'shared_memory_peer:attach', env: ${JSON.stringify(foreignEnv())},
              python: ${JSON.stringify(side.python?.path ?? '')}, pythonPath: ${JSON.stringify(folder)} });
        child.start();
        theirs.close();
        console.log(String(Buffer.from(await ours.recv())));
        await child.join();`;
      const { spawnSync } = await import('node:child_process');
      const { stdout, status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', parent]);
      expect([String(stdout), status, String(stderr)]).to.deep.equal(['hello\n', 0, '']);
      expect(blocks()).to.deep.equal([name]);
      const ended = new Promise((resolve) => owner.once('exit', resolve));
      owner.stdin.write('end');
      expect(await ended).to.equal(0);
      expect(blocks()).to.deep.equal([]);
    });
  }
});
