// SPDX-License-Identifier: MIT
import { loadInstalled } from '../paths.js';

/** What the benchmark uses of a Pair socket of zeromq.js. */
export interface Pair {
  bind(address: string): Promise<void>;
  connect(address: string): void;
  send(message: Uint8Array | string): Promise<void>;
  receive(): Promise<[Buffer]>;
  close(): void;
}

export function makePair(): Pair {
  const { Pair } = loadInstalled('zeromq') as { Pair: new () => Pair };
  return new Pair();
}
