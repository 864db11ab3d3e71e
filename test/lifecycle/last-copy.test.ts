// SPDX-License-Identifier: MIT
//
// A process that was given a Connection reads ahead once the process that gave it has closed its copy, and not before.
import { expect } from 'chai';
import { Lock, Pipe, type Connection, type ConnectionOptions } from 'node-multiprocessing';

import { track, type AnyConnection } from '../helpers/index.js';
import * as targets from './children/last-copy.js';
import { startWith } from './support/processes.js';

const module = new URL('./children/last-copy.js', import.meta.url).href;

/** So many that the child has looked whether it has the only copy, and fewer than were sent. */
const RECEIVED = 32;
const SENT = 100;

/** Only Linux tells a process that it has the last copy. */
const tells = process.platform === 'linux';

function pipe(duplex: boolean, options: ConnectionOptions = {}): [AnyConnection, AnyConnection] {
  const [a, b] = (duplex ? Pipe(true, options) : Pipe(false, options)) as unknown as [AnyConnection, AnyConnection];
  return duplex ? [track(b), track(a)] : [track(a), track(b)];
}

async function sendNumbers(writer: Connection<number>, first = 0): Promise<void> {
  for (let i = first; i < SENT; i++) await writer.send(i);
}

describe('A Connection that a child was given', () => {
  for (const duplex of [true, false]) {
    for (const target of [targets.receive, targets.receiveSync]) {
      const what = `${duplex ? 'socketpair' : 'pipe'}, ${target.name}`;

      it(`reads ahead once the parent has closed its copy (${what})`, async () => {
        const [reader, writer] = pipe(duplex);
        const { child, connection } = startWith(target, [reader, RECEIVED], { module });
        reader.close();
        await sendNumbers(writer);
        expect(await connection.recv()).to.deep.equal([RECEIVED - 1, tells]);
        await child.join();
      });

      it(`does not read ahead while the parent keeps its copy (${what})`, async () => {
        const [reader, writer] = pipe(duplex);
        const { child, connection } = startWith(target, [reader, RECEIVED], { module });
        await sendNumbers(writer);
        expect(await connection.recv()).to.deep.equal([RECEIVED - 1, false]);
        for (let i = RECEIVED; i < SENT; i++) expect(await reader.recv()).to.equal(i);
        await child.join();
      });
    }
  }

  it('does not read ahead if it was made with readAhead: false', async () => {
    const [reader, writer] = pipe(true, { readAhead: false });
    const { child, connection } = startWith(targets.receive, [reader, RECEIVED], { module });
    reader.close();
    await sendNumbers(writer);
    expect(await connection.recv()).to.deep.equal([RECEIVED - 1, false]);
    await child.join();
  });

  it('does not read ahead if the parent had its number', async () => {
    const [reader, writer] = pipe(true);
    reader.fileno();
    const { child, connection } = startWith(targets.receive, [reader, RECEIVED], { module });
    reader.close();
    await sendNumbers(writer);
    expect(await connection.recv()).to.deep.equal([RECEIVED - 1, false]);
    await child.join();
  });

  it('loses nothing to another child that was given it too', async () => {
    const [reader, writer] = pipe(true);
    const lock = new Lock();
    const started = [0, 1].map(() => startWith(targets.share, [reader, lock, SENT], { module }));
    reader.close();
    await sendNumbers(writer);
    for (const end of [SENT, SENT + 1]) await writer.send(end);
    const got = await Promise.all(started.map(({ connection }) => connection.recv() as Promise<number[]>));
    expect(got.flat().sort((a, b) => a - b)).to.deep.equal(Array.from({ length: SENT + 2 }, (_, i) => i));
    for (const { child } of started) await child.join();
    lock.close();
  });

  it('reads ahead in a grandchild that the child has given it to', async () => {
    const [reader, writer] = pipe(true);
    const { child, connection } = startWith(targets.passOn, [reader, RECEIVED], { module });
    reader.close();
    await writer.send(-1);
    expect(await connection.recv()).to.equal('passed on');
    await sendNumbers(writer);
    expect(await connection.recv()).to.deep.equal([RECEIVED - 1, tells]);
    await child.join();
  });

  it('reads ahead if it arrived as a message', async () => {
    const [reader, writer] = pipe(true);
    const { child, connection } = startWith(targets.receiveFromMessage, [RECEIVED], { module });
    await connection.send(reader);
    reader.close();
    await sendNumbers(writer);
    expect(await connection.recv()).to.deep.equal([RECEIVED - 1, tells]);
    await child.join();
  });
});
