// SPDX-License-Identifier: MIT
//
// connection-faults <scene>: makes one system call after the other fail while a message is sent, and looks each time what the
// peer receives of it and of the next message. Prints a FaultReport.
import { Pipe, type Connection } from 'node-multiprocessing';

import { checkCode, codeOf, eachPlan, equal, Partner, play } from '../support/fault-scenes.js';

const SIZES = [10, 4000, 300_000, 3_000_000];

type Ends = [Connection<never>, Connection];

async function sendOver(make: () => Ends): Promise<void> {
  const [control, theirs] = Pipe();
  const partner = new Partner(new URL('./message-counter.js', import.meta.url), 'countMessages', [theirs]);
  theirs.close();
  for (const size of SIZES) {
    await eachPlan(`a message of ${size}`, async (plan, what) => {
      const [writer, reader] = make();
      await control.send(reader);
      reader.close();
      plan.arm();
      const code = await codeOf(writer.sendBytes(new Uint8Array(size)));
      checkCode(code, plan.disarm(), what);
      const next = await codeOf(writer.sendBytes(new Uint8Array(1)));
      writer.close();
      const received = await partner.line();
      // A message that has failed was not begun, or nothing comes behind it.
      const isCutOff = code !== 'done' && next !== 'done';
      if (isCutOff) equal(next, 'ERR_MP_NOT_WRITABLE', `${what}, the next message`);
      else equal(next, 'done', `${what}, the next message`);
      const expected = code === 'done' ? `${size},1 ERR_MP_EOF` : isCutOff ? ' ERR_MP_TRUNCATED' : '1 ERR_MP_EOF';
      equal(received, expected, what);
    });
  }
  control.close();
  await partner.end();
}

await play({
  socket: () => sendOver(() => Pipe() as unknown as Ends),
  pipe: () => sendOver(() => Pipe(false).reverse() as unknown as Ends),
});
