// SPDX-License-Identifier: MIT
//
// What families leave in /dev/shm, and what they do not.
import { statSync } from 'node:fs';

import { expect } from 'chai';
import { Condition, describe as describeObject, Lock, type Descriptor } from 'node-multiprocessing';

import { spawnPeer, type Peer } from '../helpers/index.js';
import { addressesOf, Member, namesOfFamily, registerOf } from './support/locks.js';
import { child, report } from './support/programs.js';

async function start(ending: string): Promise<{ peer: Peer; made: Descriptor[]; family: string }> {
  const peer = spawnPeer(child('lock-family'), { args: [ending] });
  const made = (await report(peer)) as Descriptor[];
  return { peer, made, family: addressesOf(made)[0]!.family! };
}

/** Creates the first semaphore of a new family in another process, which removes what dead processes have left. */
async function sweep(): Promise<void> {
  const { peer, family } = await start('exit');
  await peer.succeeded();
  expect(namesOfFamily(family)).to.deep.equal([]);
}

describe('A family of processes', function () {
  const endings: [string, number][] = [
    ['natural', 0],
    ['exit', 0],
    ['throw', 1],
  ];
  for (const [ending, code] of endings) {
    it(`leaves nothing behind at its end (${ending})`, async function () {
      const { peer, family } = await start(ending);
      expect(await peer.exit, peer.stderr).to.deep.equal({ code, signal: null });
      expect(namesOfFamily(family)).to.deep.equal([]);
    });

    it(`leaves behind what another member still uses (${ending})`, async function () {
      const stays = await start('stay');
      const member = await Member.node(stays.made[1]!);
      await stays.peer.release();
      await stays.peer.succeeded();
      expect(namesOfFamily(stays.family)).to.include.members([stays.family, `${stays.family}.holders`]);
      expect(await member.call('acquire')).to.deep.equal({ result: true });
      if (ending === 'throw') {
        await member.kill();
        await sweep();
      } else {
        // The last member removes what the creator has left.
        member.tell('exit', 0);
        await member.peer.succeeded();
      }
      expect(namesOfFamily(stays.family)).to.deep.equal([]);
    });
  }

  for (const ending of ['worker', 'terminate']) {
    it(`loses the names that a worker made at the end of the worker (${ending})`, async function () {
      const peer = spawnPeer(child('lock-family'), { args: [ending] });
      expect(await report(peer)).to.deep.equal({ left: [], kept: 1 });
      await peer.succeeded();
    });
  }

  it('loses the names of objects that were collected', async function () {
    const peer = spawnPeer(child('lock-family', ['--expose-gc']), { args: ['collected'] });
    expect(await report(peer)).to.deep.equal({ left: [], kept: 1 });
    await peer.succeeded();
  });

  it('is removed by the next process after all of its members were killed', async function () {
    const killed = await start('stay');
    const members = [await Member.node(killed.made[1]!), await Member.node(killed.made[2]!)];
    for (const member of members) expect(await member.call('acquireSync')).to.deep.equal({ result: true });
    killed.peer.kill('SIGKILL');
    await killed.peer.exit;
    // Not while one of its members lives.
    await members[0]!.kill();
    const names = namesOfFamily(killed.family);
    expect(names).to.have.length.above(2);
    await sweep();
    expect(namesOfFamily(killed.family)).to.deep.equal(names);
    expect(await members[1]!.call('release')).to.deep.equal({});
    await members[1]!.kill();
    await sweep();
    expect(namesOfFamily(killed.family)).to.deep.equal([]);
  });

  for (const stopped of [false, true]) {
    it(`keeps its names when another family is removed (${stopped ? 'stopped' : 'running'})`, async function () {
      const lives = await start('stay');
      const killed = await start('stay');
      const names = namesOfFamily(lives.family);
      if (stopped) lives.peer.kill('SIGSTOP');
      killed.peer.kill('SIGKILL');
      await killed.peer.exit;
      await sweep();
      expect(namesOfFamily(killed.family)).to.deep.equal([]);
      expect(namesOfFamily(lives.family)).to.deep.equal(names);
      if (stopped) lives.peer.kill('SIGCONT');
      const member = await Member.node(lives.made[1]!);
      expect(await member.call('acquire')).to.deep.equal({ result: true });
      await member.call('release');
      member.tell('exit', 0);
      await member.peer.succeeded();
      await lives.peer.release();
      await lives.peer.succeeded();
      expect(namesOfFamily(lives.family)).to.deep.equal([]);
    });
  }
});

describe('The names of an object', function () {
  for (const Class of [Lock, Condition]) {
    it(`are removed when ${Class.name}.close() returns`, function () {
      const object = new Class();
      const addresses = addressesOf(describeObject(object, { nodeOnly: true }));
      const existing = (): string[] => {
        const names = new Set(namesOfFamily(addresses[0]!.family!));
        return addresses.map(({ name }) => name).filter((name) => names.has(`sem.${name.slice(1)}`));
      };
      expect(existing()).to.have.length(addresses.length);
      object.close();
      expect(existing()).to.deep.equal([]);
    });
  }

  it('use the same lines of the register again, 2,000 times', function () {
    const kept = new Lock();
    const { family } = addressesOf(describeObject(kept, { nodeOnly: true }))[0]!;
    const round = (): void => {
      const objects = [new Lock(), new Condition(), new Lock()];
      for (const object of objects) object.close();
    };
    round();
    const before = statSync(registerOf(family!)).size;
    for (let i = 0; i < 2000; i++) round();
    expect(statSync(registerOf(family!)).size).to.equal(before);
    kept.close();
  });
});
