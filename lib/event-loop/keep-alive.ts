// SPDX-License-Identifier: MIT
//
// What keeps the event loop alive: as long as a pending call of any object does so, the poller is referenced. A timer stands in
// for a poller that is not started, since a pool that lacks descriptors for its first worker lacks those of a poller, too.
import { perEnvironment } from '../core/per-environment.js';
import { native } from '../native/addon.js';

const state = perEnvironment('keep-alive', () => ({
  references: 0,
  hasPoller: false,
  standIn: undefined as NodeJS.Timeout | undefined,
}));

const LONGEST_MS = 2 ** 31 - 1;

/** Counts the pending calls of one object, which keep the event loop alive unless the object was unref'd. */
export class KeepAlive {
  #pending = 0;
  #on = true;

  begin(): void {
    this.#pending++;
    if (this.#on) changeReferences(1);
  }

  end(): void {
    this.#pending--;
    if (this.#on) changeReferences(-1);
  }

  /** Whether pending calls keep the event loop alive. */
  get on(): boolean {
    return this.#on;
  }

  set on(on: boolean) {
    if (on === this.#on) return;
    this.#on = on;
    changeReferences(on ? this.#pending : -this.#pending);
  }
}

function changeReferences(change: number): void {
  const before = state.references;
  state.references += change;
  if (before > 0 !== state.references > 0) applyReferences();
}

function applyReferences(): void {
  clearInterval(state.standIn);
  const on = state.references > 0;
  if (state.hasPoller) native.setRef(on);
  else state.standIn = on ? setInterval(() => undefined, LONGEST_MS) : undefined;
}

/** From here on the poller keeps the event loop alive. */
export function pollerStarted(): void {
  state.hasPoller = true;
  applyReferences();
}
