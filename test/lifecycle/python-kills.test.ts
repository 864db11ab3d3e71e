// SPDX-License-Identifier: MIT
//
// Python children and their parents, when one of them is killed.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import { Event, Lock, Pipe, PythonProcess } from 'node-multiprocessing';

import {
  edgePythons,
  foreignEnv,
  newestPython,
  nodePeer,
  packageRoot,
  pythons,
  rejects,
  spawnPeer,
  startTalkingPython,
  track,
  type Peer,
} from '../helpers/index.js';

const peers = join(packageRoot, 'test', 'peers');

function host(python: string, target: string, daemon: 'yes' | 'no'): Peer {
  return spawnPeer(nodePeer('../lifecycle/children/python-host'), { args: [python, peers, target, daemon] });
}

/** Whether a process runs. A zombie does not. */
function runs(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Resolves when a condition is true. The test's own time limit is the watchdog. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Whether a process has registered a name, so that the name does not stay if that process is killed. */
function isRegistered(name: string): boolean {
  const folder = `/dev/shm/mp-${process.getuid?.() ?? ''}`;
  return (
    existsSync(folder) &&
    readdirSync(folder).some((file) => readFileSync(join(folder, file), 'latin1').includes(`${name} `))
  );
}

function nameExists(name: string): boolean {
  return existsSync(`/dev/shm/sem.${name.slice(1)}`);
}

describe('A Python child whose parent is killed', function () {
  for (const { version, path } of edgePythons()) {
    it(`ends if it is daemonic, even in a busy loop (Python ${version})`, async () => {
      const peer = host(path, 'children:busy', 'yes');
      const pid = JSON.parse(await peer.line()) as number;
      expect(runs(pid)).to.equal(true);
      peer.kill();
      await peer.exit;
      await until(() => !runs(pid));
    });

    it(`sees the end by mp.parent_process() if it is not daemonic (Python ${version})`, async () => {
      const [ours, theirs] = Pipe(true, { serialization: 'pickle' });
      track(ours);
      // The grandchild has this Connection from its grandparent, and can still report that its parent has ended.
      const peer = spawnPeer(nodePeer('../lifecycle/children/python-orphan'), { args: [path, peers], fds: [theirs] });
      const pid = (await ours.recv()) as number;
      peer.kill();
      await peer.exit;
      expect(await ours.recv()).to.equal('gone');
      await until(() => !runs(pid));
    });
  }
});

describe('A Python child that is killed', function () {
  it('leaves no names of objects that it has made itself', async () => {
    const [child, conn] = startTalkingPython('children:with_names');
    const names = (await conn.recv()) as string[];
    expect(names.map(nameExists)).to.deep.equal([true, true]);
    child.kill();
    await child.join();
    expect(child.exitcode).to.equal(-9);
    await until(() => !names.some(nameExists));
  });

  it('ends the conversation', async () => {
    const [child, conn] = startTalkingPython('children:busy');
    await conn.recv();
    child.kill();
    await rejects(conn.recv(), { code: 'ERR_MP_EOF' });
    await child.join();
  });
});

describe('Names of objects that were passed to a Python child', function () {
  it('are removed when the parent closes its object, once the child has attached', async () => {
    const [ours, theirs] = Pipe();
    track(ours);
    const lock = new Lock();
    const event = new Event();
    const { name } = lock;
    const child = new PythonProcess({
      target: 'children:uses',
      args: [theirs, lock, event],
      python: newestPython().path,
      pythonPath: peers,
      env: foreignEnv(),
    });
    child.start();
    theirs.close();
    // Closed at once, before the child can have opened the names.
    lock.close();
    event.close();
    expect(nameExists(name)).to.equal(true);
    expect(await ours.recv()).to.equal(true);
    await until(() => !nameExists(name));
    await ours.send('end');
    await child.join();
    expect(child.exitcode).to.equal(0);
  });

  it('are removed when the child has ended without attaching', async () => {
    const lock = new Lock();
    const { name } = lock;
    const child = new PythonProcess({ target: 'children:nothing', args: [lock], python: '/bin/false' });
    child.start();
    lock.close();
    expect(nameExists(name)).to.equal(true);
    await rejects(child.join(), { code: 'ERR_MP_CHILD_PROCESS' });
    await until(() => !nameExists(name));
  });
});

describe('What Python children make with names', function () {
  for (const { version, path } of pythons()) {
    // Regression: the resource tracker of a child removed the shared memory that the child had looked at.
    it(`is left alone by the end of a child that has looked at it (Python ${version})`, async () => {
      const [owner, toOwner] = startTalkingPython('children:make_memory', { python: path, args: [4096] });
      const name = (await toOwner.recv()) as string;
      for (let i = 0; i < 2; i++) {
        const [reader, conn] = startTalkingPython('children:look_at_memory', { python: path, args: [name] });
        expect(await conn.recv()).to.deep.equal(Buffer.from('made'));
        await reader.join();
        expect(existsSync(`/dev/shm/${name}`)).to.equal(true);
      }
      await toOwner.send('enough');
      await owner.join();
      expect(existsSync(`/dev/shm/${name}`)).to.equal(false);
    });
  }

  it('is read while this process is blocked', () => {
    const [child, conn] = startTalkingPython('children:make_names', { args: [2000] });
    expect(child.joinSync()).to.equal(true);
    expect(conn.recvSync()).to.equal('made');
  });

  it('is removed at the end of the program, and by the next program if it is killed', async () => {
    const host = (): Peer =>
      spawnPeer(nodePeer('../lifecycle/children/python-names'), { args: [newestPython().path, peers] });
    const made = async (peer: Peer): Promise<{ exist: () => boolean[]; last: string; pid: number }> => {
      const [memory, lock, queue, pid] = JSON.parse(await peer.line()) as [string, string, string, number];
      return { exist: () => [existsSync(`/dev/shm/${memory}`), nameExists(lock), nameExists(queue)], last: queue, pid };
    };
    const killed = host();
    const leftByKilled = await made(killed);
    expect(leftByKilled.exist()).to.deep.equal([true, true, true]);
    // The child has told its names to the other process before it sent them here, and may be the faster one.
    await until(() => isRegistered(leftByKilled.last));
    killed.kill();
    await killed.exit;
    await until(() => !runs(leftByKilled.pid));
    const ended = host();
    const leftByEnded = await made(ended);
    expect(leftByKilled.exist()).to.deep.equal([false, false, false]);
    expect(leftByEnded.exist()).to.deep.equal([true, true, true]);
    await ended.release();
    await ended.succeeded();
    expect(leftByEnded.exist()).to.deep.equal([false, false, false]);
  });

  for (const { version, path } of pythons()) {
    // Regression: each child had a process of its own for that, which became a zombie if this process was process 1.
    it(`needs no process (Python ${version})`, async () => {
      const [child, conn] = startTalkingPython('children:tracker_of_names', { python: path });
      expect(await conn.recv()).to.equal(null);
      await child.join();
    });
  }
});
