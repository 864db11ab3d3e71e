// SPDX-License-Identifier: MIT
//
// Every kind of object, shared by a Node parent with a Python child and by a Python parent with a Node child, with
// every Python.
import { join } from 'node:path';

import { expect } from 'chai';
import { Pipe, PythonProcess } from 'node-multiprocessing';

import {
  foreignEnv,
  packageRoot,
  pythonPeer,
  pythons,
  requireObjects,
  shared,
  spawnPeer,
  track,
} from '../helpers/index.js';
import { first, makeObjects, objectNames } from '../peers/sharing.js';

const peers = join(packageRoot, 'test', 'peers');
const nodeModule = join(packageRoot, 'out', 'test', 'peers', 'sharing.js');

/** A program that attaches the objects that its environment describes. */
const attaching = join(packageRoot, 'out', 'test', 'peers', 'attaching.js');

const classes = {
  Connection: 'multiprocessing.connection.Connection',
  Lock: 'multiprocessing.synchronize.Lock',
  RLock: 'multiprocessing.synchronize.RLock',
  Semaphore: 'multiprocessing.synchronize.Semaphore',
  BoundedSemaphore: 'multiprocessing.synchronize.BoundedSemaphore',
  Condition: 'multiprocessing.synchronize.Condition',
  Event: 'multiprocessing.synchronize.Event',
  SimpleQueue: 'multiprocessing.queues.SimpleQueue',
  Queue: 'multiprocessing.queues.Queue',
  JoinableQueue: 'multiprocessing.queues.JoinableQueue',
};

describe('Objects that are shared with Python', function () {
  requireObjects(objectNames);

  for (const { version, path } of pythons()) {
    it(`work between a Node parent and a child in Python ${version}`, async () => {
      const [conn, theirs] = Pipe();
      const [other, theirOther] = Pipe();
      for (const connection of [conn, theirs, other, theirOther]) track(connection);
      const objects = makeObjects(theirOther);
      const { Queue: queue } = objects;
      const child = new PythonProcess({
        target: 'sharing:second',
        args: [theirs, objects],
        kwargs: { queue },
        python: path,
        pythonPath: peers,
        env: foreignEnv(),
      });
      child.start();
      theirs.close();
      theirOther.close();
      expect(await conn.recv()).to.deep.equal(classes);
      expect(await conn.recv(), 'modules from elsewhere').to.deep.equal([]);
      const ours = { ...objects, Connection: other };
      for (const name of objectNames) {
        await first[name](conn, ours[name] as never);
        expect(await conn.recv()).to.equal(name);
        shared(version, 'node', name);
      }
      expect(await conn.recv()).to.equal('started');
      await queue.put('for the grandchild');
      expect(await conn.recv()).to.equal('for the grandchild');
      expect(await queue.get()).to.deep.equal(['from', 'the grandchild', classes.Queue]);
      expect(await conn.recv(), 'the exit code of the grandchild').to.equal(0);
      expect(await child.join()).to.equal(true);
      expect(child.exitcode).to.equal(0);
      child.close();
      for (const object of Object.values(ours)) object.close();
    });

    it(`work between a parent in Python ${version} and a Node child`, async () => {
      const peer = spawnPeer(pythonPeer({ version, path }, 'sharing'), { args: [nodeModule] });
      const output = await peer.succeeded();
      expect(output.trim().split('\n')).to.deep.equal(objectNames);
      for (const name of objectNames) shared(version, 'python', name);
    });

    it(`work between a parent in Python ${version} and a Node process that was started by other means`, async () => {
      const peer = spawnPeer(pythonPeer({ version, path }, 'sharing'), { args: [attaching, 'other'] });
      const output = await peer.succeeded();
      expect(output.trim().split('\n')).to.deep.equal(objectNames);
    });
  }
});
