// SPDX-License-Identifier: MIT
//
// The loops of the tests of events under kills and stops: short in the suite and long in the stress tests.
import { expect } from 'chai';
import { describe as describeObject, Event, type EventDescriptor } from 'node-multiprocessing';

import { within } from '../../helpers/index.js';
import { Random } from '../../helpers/random.js';
import { Member, until, valueOf } from './locks.js';
import { stateOf } from './programs.js';

const WATCHDOG_MS = 60_000;

/** Longer than a notifier is held up. */
const LONGEST_STOP_MS = 2500;

interface Waiter {
  readonly member: Member;
  /** Resolves with how the current wait ends; never if the member is killed. */
  answer: Promise<unknown>;
}

/**
 * Members wait for an event, one of them is killed or stopped at a random moment around `set()`, and in every other round
 * another one sets the event and may be killed in the middle of that. In each round all that live wake with true.
 */
export async function expectEachRoundWakesAll(rounds: number, seed: number): Promise<void> {
  const random = new Random(seed);
  const event = new Event();
  const descriptor = describeObject(event, { nodeOnly: true }) as EventDescriptor;
  const { sleeping, woken } = descriptor.event.condition;
  const start = (): Promise<Member> => Member.node(descriptor);
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, random.below(4)));
  const waiters = await Promise.all(
    [0, 1, 2].map(async (): Promise<Waiter> => ({ member: await start(), answer: null! })),
  );
  let setter = await start();
  for (let round = 0; round < rounds; round++) {
    for (const [i, waiter] of waiters.entries()) {
      waiter.member.tell(i === 0 ? 'waitSync' : 'wait');
      waiter.answer = waiter.member.outcome();
      waiter.answer.catch(() => undefined);
    }
    await within(
      WATCHDOG_MS,
      until(() => valueOf(sleeping.name) - valueOf(woken.name) >= waiters.length),
      `the waits of round ${round}`,
    );
    const index = random.below(waiters.length);
    const { member } = waiters[index]!;
    const stops = random.below(4) === 0;
    const harm = async (): Promise<void> => {
      await pause();
      member.peer.kill(stops ? 'SIGSTOP' : 'SIGKILL');
      if (stops) await until(() => stateOf(member.peer.pid) === 'T');
    };
    const pulse = async (): Promise<void> => {
      await event.set();
      await event.clear();
    };
    let pulsed: Promise<void>;
    if (random.below(2) === 0) {
      setter.tell('set');
      await Promise.all([harm(), pause()]);
      await setter.kill();
      setter = await start();
      pulsed = pulse();
    } else {
      const harmed = harm();
      pulsed = pulse();
      await harmed;
    }
    if (stops) {
      // It may have been stopped with the lock, which no other process gets then: it is alive.
      await Promise.race([pulsed, new Promise((resolve) => setTimeout(resolve, LONGEST_STOP_MS))]);
      member.peer.kill('SIGCONT');
    }
    await within(WATCHDOG_MS, pulsed, `set() and clear() in round ${round}`);
    for (const [i, waiter] of waiters.entries()) {
      if (i === index && !stops) continue;
      const answer = await within(WATCHDOG_MS, waiter.answer, `waiter ${i} in round ${round} (stopped: ${stops})`);
      expect(answer, `round ${round}, waiter ${i}`).to.deep.equal({ result: true });
    }
    if (stops) continue;
    await member.peer.exit;
    waiters[index] = { member: await start(), answer: null! };
  }
  event.close();
}
