// SPDX-License-Identifier: MIT
//
// send-member <role> <place>: a member of the family of process.send.
import { once } from 'node:events';

import { GOT, Ledger, makeItem, PUT, readItem, TORN, type Place } from './ledger.js';

const role = process.argv[2];
const place = JSON.parse(process.argv[3]!) as Place;
const ledger = new Ledger(place);

async function send(message: unknown): Promise<unknown> {
  const answer = once(process, 'message');
  process.send!(message);
  return (await answer)[0];
}

if (role === 'produce') {
  for (let number = 0; !ledger.step(); number++) {
    await send({ item: makeItem(place.member, number, place.sizes[number % place.sizes.length]!) });
    ledger.write(PUT, place.member, number);
  }
} else {
  for (;;) {
    const { item } = (await send({ idle: true })) as { item?: Uint8Array };
    if (item === undefined) break;
    const { producer, number, whole } = readItem(item);
    ledger.write(whole ? GOT : TORN, producer, number);
    ledger.step();
  }
}
process.disconnect();
