// SPDX-License-Identifier: MIT
//
// What keeps the event loop alive: as long as a pending call of any object does so, the poller is referenced.
import { perEnvironment } from '../core/per-environment.js';
import { native } from '../native/addon.js';

const state = perEnvironment('keep-alive', () => ({ references: 0 }));

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

/** Tells the poller whether it is referenced. Without effect before the poller is started, so its start calls this too. */
export function applyReferences(): void {
  native.setRef(state.references > 0);
}
