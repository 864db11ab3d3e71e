// SPDX-License-Identifier: MIT
//
// An object that stands for something in the operating system is never sent as an empty object. Its descriptor travels
// instead.
import { expect } from 'chai';
import * as mp from 'node-multiprocessing';
import { Packr } from 'msgpackr';

import { closingAfterEach, shareable } from '../helpers/arguments.js';
import { makePair, modes, rejects, throws, via } from '../helpers/index.js';

describe('An object with a semaphore, as a part of a message', () => {
  const opened = closingAfterEach();

  const formats: [string, mp.Serialization][] = [
    ['structured', 'structured'],
    ['json', 'json'],
    ['msgpackr', new Packr()],
  ];
  const makers: Record<string, () => { close(): void }> = {
    ...Object.fromEntries(Object.entries(shareable).map(([what, Class]) => [what, () => new Class()])),
    NamedSemaphore: () => {
      const semaphore = mp.NamedSemaphore.create(`/nmp-test-messages-${process.pid}`);
      semaphore.unlink();
      return semaphore;
    },
  };
  for (const [what, make] of Object.entries(makers)) {
    // Objects with a descriptor travel between Node processes by 'structured'; object-messages.test.ts tests that.
    const refusing = what in shareable ? formats.filter(([name]) => name !== 'structured') : formats;
    const names = refusing.map(([name]) => name).join(', ');
    it(`is an error instead of an empty object: ${what} (${names})`, async () => {
      const object = opened(make());
      for (const [, serialization] of refusing) {
        const { reader, writer } = makePair('socketpair', { serialization });
        for (const mode of modes) {
          for (const value of [object, { deep: [object] }]) {
            await rejects(via(mode, writer).send(value), { code: 'ERR_MP_NOT_SUPPORTED' });
          }
        }
        expect(reader.pollSync()).to.equal(false);
        await writer.send('goes on');
        expect(await reader.recv()).to.equal('goes on');
      }
      throws(() => structuredClone(object), { code: 'ERR_MP_NOT_SUPPORTED' });
      object.close();
      throws(() => structuredClone(object), { code: 'ERR_MP_NOT_SUPPORTED' });
    });
  }

  it('is an error instead of an empty object: Guard', async () => {
    const lock = opened(new mp.Lock());
    const guard = await lock.guard();
    const { writer } = makePair('socketpair');
    await rejects(writer.send(guard), { code: 'ERR_MP_NOT_SUPPORTED' });
    guard.release();
  });

  it('travels as what describe() returns', async () => {
    for (const Class of Object.values(shareable)) {
      const object = opened(new Class()) as mp.Lock;
      for (const [, serialization] of formats) {
        const { reader, writer } = makePair('socketpair', { serialization });
        await writer.send(mp.describe(object));
        const descriptor = (await reader.recv()) as mp.Descriptor;
        expect(descriptor).to.deep.equal(mp.describe(object));
        expect(opened(mp.attach(descriptor))).to.be.instanceOf(Class);
      }
    }
  });
});
