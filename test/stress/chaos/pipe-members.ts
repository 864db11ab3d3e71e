// SPDX-License-Identifier: MIT
//
// What Node members do with the end of a pipe. Either ends when the other one is killed: a writer with EPIPE, a reader
// with the end of the data, or with an error that says that a message was cut off.
import { setTimeout as sleep } from 'node:timers/promises';

import type { Connection } from 'node-multiprocessing';

import { GOT, Ledger, makeItem, PUT, readItem, REST_MS, TORN, type Place } from './ledger.js';

const NO_READER = ['EPIPE', 'ECONNRESET'];
const NO_WRITER = ['ERR_MP_EOF', 'ERR_MP_TRUNCATED'];

export async function produce(end: Connection<Uint8Array, never>, place: Place): Promise<void> {
  await untilTheOtherEnds(end, place, NO_READER, async (ledger) => {
    for (let number = 0; !ledger.step(); number++) {
      if (ledger.rests) await sleep(REST_MS);
      await end.sendBytes(makeItem(place.member, number, place.sizes[number % place.sizes.length]!));
      ledger.write(PUT, place.member, number);
    }
  });
}

export async function consume(end: Connection<never, Uint8Array>, place: Place): Promise<void> {
  await untilTheOtherEnds(end, place, NO_WRITER, async (ledger) => {
    for (;;) {
      const { producer, number, whole } = readItem(await end.recvBytes());
      ledger.write(whole ? GOT : TORN, producer, number);
      ledger.step();
    }
  });
}

async function untilTheOtherEnds(
  end: Connection<never, unknown>,
  place: Place,
  codes: readonly string[],
  work: (ledger: Ledger) => Promise<void>,
): Promise<void> {
  const ledger = new Ledger(place);
  try {
    await work(ledger);
  } catch (error) {
    if (!codes.includes((error as { code?: string }).code ?? '')) ledger.error(error);
  }
  end.close();
  ledger.close();
}
