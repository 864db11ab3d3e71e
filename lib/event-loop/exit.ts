// SPDX-License-Identifier: MIT
//
// What is done at the end of the process, in order. A pending write keeps the event loop alive, so for messages this concerns
// process.exit(), an uncaught error, and Connections that were unref'd.
import { writeSync } from 'node:fs';

import { deadlineAfter, millisecondsLeft } from '../core/deadline.js';
import { perEnvironment } from '../core/per-environment.js';
import { native } from '../native/addon.js';
import { unwritten, writeAtExit } from './sync-wait.js';

/** How long the end of the process may be held up by peers that do not read. */
export const DEFAULT_EXIT_FLUSH_MS = 5000;

/** Prints a warning: the process is past the point where a warning could be emitted as an event. */
export type Warn = (lost: string) => void;

/** One step of the end. It works towards the deadline. */
export type ExitStep = (deadline: number, warn: Warn) => void;

/**
 * The stages of the end, first to last. Messages are written first, since a queue's members or a child may wait for them.
 * Children end last: their parent is to be the last member of the family, which removes the names of the semaphores.
 */
const STAGES = ['messages', 'queues', 'children', 'threads'] as const;
export type ExitStage = (typeof STAGES)[number];

const state = perEnvironment('exit', () => ({
  steps: new Map<ExitStage, ExitStep>(),
  /** The longest limit of all connections and queues, in milliseconds. */
  limitMs: 0,
  /** What no call was told. */
  untold: new Set<Error>(),
}));

/** An error that is printed at the end, if no call has been told until then, or one that has been told. */
export function toldAtExit(error: Error, on: boolean): void {
  if (on) state.untold.add(error);
  else state.untold.delete(error);
}

/** Puts a step into its stage, once per environment. */
export function atExit(stage: ExitStage, step: ExitStep): void {
  if (state.steps.size === 0) process.on('exit', onExit);
  if (!state.steps.has(stage)) state.steps.set(stage, step);
}

/** Makes the end of the process write messages, for at most this time. The longest limit of all connections counts. */
export function flushAtExit(limitMs: number): void {
  state.limitMs = Math.max(state.limitMs, limitMs);
  atExit('messages', writeMessages);
  if (native.isMainThread) atExit('threads', () => native.cancelBlockedCalls());
}

function onExit(): void {
  const { steps, limitMs } = state;
  const deadline = deadlineAfter(limitMs);
  const warn: Warn = (lost) => {
    const limit = `within ${limitMs} ms of the end of the process`;
    print(`Warning: ${lost} ${limit} and are lost`);
  };
  for (const stage of STAGES) steps.get(stage)?.(deadline, warn);
}

function print(text: string): void {
  writeSync(2, `(node:${process.pid}) ${text}\n`);
}

function writeMessages(deadline: number, warn: Warn): void {
  writeAtExit(millisecondsLeft(deadline));
  for (const error of state.untold) print(`${error.name}: ${error.message}`);
  if (unwritten.size === 0) return;
  let bytes = 0;
  for (const writer of unwritten) {
    bytes += native.pendingBytes(writer.id);
    // Whatever the warning calls lost is not written later.
    native.dropPending(writer.id);
  }
  warn(`${bytes} bytes sent on ${unwritten.size} connection(s) were not read`);
}
