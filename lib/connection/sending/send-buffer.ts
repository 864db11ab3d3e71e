// SPDX-License-Identifier: MIT
import { constants } from 'node:os';

import { whenIdle } from '../../core/idle.js';
import { countBytes } from '../../event-loop/reactor.js';
import { native } from '../../native/addon.js';

/** From this length on, a message is worth a larger buffer in the kernel. */
const LARGE_BYTES = 64 * 1024;

/** The kernel's buffer for what one endpoint sends. Large messages go through a larger one in fewer turns of both processes. */
export class SendBuffer {
  readonly #id: number;
  readonly #grows: boolean;
  /** A pipe must have been read before it can shrink. */
  readonly #shrink = (): boolean => native.shrinkBuffer(this.#id) !== -constants.errno.EBUSY;

  /** @param grows Whether it may grow: only that of a pipe or socketpair that this package made. */
  constructor(id: number, grows: boolean) {
    this.#id = id;
    this.#grows = grows;
  }

  /** Before a message. */
  prepare(size: number): void {
    countBytes(size);
    this.enlarge(size);
  }

  /** The buffer grows for a large message, and shrinks again when there were none for some seconds. */
  enlarge(size: number): void {
    if (size > LARGE_BYTES && this.#grows && native.growBuffer(this.#id) > 0) whenIdle(this.#shrink);
  }
}
