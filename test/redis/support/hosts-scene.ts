// SPDX-License-Identifier: MIT
//
// A queue over Redis whose members are on three hosts, when the network loses what one of them sends, what it should
// receive, or both.
import { expect } from 'chai';

import { within, type Peer } from '../../helpers/index.js';
import { ownHosts, type Host, type Loss } from '../../helpers/hosts.js';
import { startMember } from './campaign.js';
import { ownServer } from './server.js';

const WATCHDOG_MS = 50_000;

/** Called inside a describe: cuts a member off in these ways. */
export function cutsOff(losses: readonly Loss[]): void {
  const hosts = ownHosts(2);
  const server = ownServer(false, { prefix: hosts.prefix, bind: '0.0.0.0' });
  let near: Host;
  let far: Host;
  beforeEach(() => {
    [near, far] = hosts.outer as [Host, Host];
    near.heal();
  });

  const start = (host: Host | undefined, role: string, ...args: string[]): Peer => {
    const where = host?.middleAddress ?? '127.0.0.1';
    return startMember(undefined, [`${where}:${server.port}`, role, ...args], host?.prefix ?? hosts.prefix);
  };
  const line = (peer: Peer): Promise<string> => within(WATCHDOG_MS, peer.line(), 'a line of a member');

  for (const loss of losses) {
    it(`moves the lease of a host that is cut off once, and join ends (lost: ${loss})`, async () => {
      const name = `cut ${loss}`;
      const feeder = start(undefined, 'feed', name, '3');
      expect(await line(feeder)).to.equal('put');
      const cut = start(near, 'hold', name);
      expect(await line(cut)).to.equal('ready');
      cut.tell('get');
      expect(await line(cut)).to.equal('got 0 1');
      near.lose(loss);
      const other = start(far, 'consume', name);
      const seen: string[] = [];
      while (seen.length < 6) seen.push(await line(other));
      expect(seen.sort()).to.deep.equal(['done 0', 'done 1', 'done 2', 'got 0 2', 'got 1 1', 'got 2 1']);
      const [, stats = ''] = (await line(feeder)).split(' ');
      expect(JSON.parse(stats)).to.deep.equal({ put: 3, got: 4, recoveries: 1, unfinished: 0, leased: 0, depth: 0 });
      near.heal();
      cut.tell('done');
      expect(await line(cut)).to.equal('late 0');
      other.kill();
      await other.exit;
      // The host is a member as before.
      feeder.tell('more');
      cut.tell('get');
      expect(await line(cut)).to.equal('got 3 1');
      cut.tell('done');
      expect(await line(cut)).to.equal('done 3');
      await within(WATCHDOG_MS, feeder.succeeded(), 'the end of the feeder');
    });
  }

  it('moves an item whose way to its consumer was cut', async () => {
    const feeder = start(undefined, 'feed', 'answer', '1');
    expect(await line(feeder)).to.equal('put');
    const cut = start(near, 'hold', 'answer');
    expect(await line(cut)).to.equal('ready');
    near.lose('received');
    cut.tell('get');
    feeder.tell('leased');
    expect(await line(feeder)).to.equal('leased 1');
    const other = start(far, 'consume', 'answer');
    expect([await line(other), await line(other)]).to.deep.equal(['got 0 2', 'done 0']);
    expect(await line(feeder)).to.match(/^joined /);
    near.heal();
    // The answer comes after all, for a lease that has run out.
    expect(await line(cut)).to.equal('got 0 1');
    cut.tell('done');
    expect(await line(cut)).to.equal('late 0');
  });
}
