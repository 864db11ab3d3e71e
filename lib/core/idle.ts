// SPDX-License-Identifier: MIT
//
// What large messages have taken from the system is given back when there are none any more. The timer never keeps the process
// alive, and is started again only when it fires, not with each message.
import { perEnvironment } from './per-environment.js';

/** How long after the last large message. */
const IDLE_MS = 5000;

/** Gives something back. False if that has to be tried again. */
type GiveBack = () => boolean;

const state = perEnvironment('idle', () => ({
  /** What is to be given back, and when it was used last. */
  used: new Map<GiveBack, number>(),
  timer: undefined as NodeJS.Timeout | undefined,
}));

/** Calls `giveBack` once, some seconds after the last call with it. */
export function whenIdle(giveBack: GiveBack): void {
  state.used.set(giveBack, performance.now());
  state.timer ??= setTimeout(look, IDLE_MS).unref();
}

function look(): void {
  const now = performance.now();
  state.timer = undefined;
  for (const [giveBack, last] of state.used) {
    if (now - last >= IDLE_MS && giveBack()) state.used.delete(giveBack);
  }
  if (state.used.size > 0) state.timer = setTimeout(look, IDLE_MS).unref();
}
