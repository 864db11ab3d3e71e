// SPDX-License-Identifier: MIT
//
// Failing system calls on purpose: the control block of test/peers/faults.c, and the programs that run with that library.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { cLibrary, spawnPeer } from '../../helpers/peers.js';
import { child, report } from './programs.js';

const BYTES = 48;

const WATCHDOG_MS = 600_000;

/** After so many calls in succession that no longer came, there are no more to fail. */
const MOST_MISSES = 3;

/** One call that shall fail. */
export interface Plan {
  /** From here on the calls are counted. */
  arm(): void;
  /** Until here. Returns which call has failed and how, or undefined if there were fewer calls. */
  disarm(): string | undefined;
}

type FaultProgram = 'queue-faults' | 'lock-faults' | 'connection-faults';

/** What a program with failing calls reports. */
export interface FaultReport {
  /** The calls that have failed, each with its error. */
  readonly faults: readonly string[];
  /** How many calls were made to fail. */
  readonly count: number;
  /** Sentences about what went wrong. */
  readonly problems: readonly string[];
}

/** The control block, for the program itself. */
export class Faults {
  readonly #fd = openSync(process.env['FAULTS'] ?? '', 'r+');
  readonly #block = Buffer.alloc(BYTES);
  /** The calls that have failed, each with its error. */
  readonly failed = new Set<string>();
  count = 0;

  /** One plan for each call of a step and each error of that call. The caller repeats the step with each. */
  *plans(): Generator<Plan> {
    for (let nth = 1, misses = 0; misses < MOST_MISSES; nth++) {
      let choices = 1;
      for (let choice = 0; choice < choices; choice++) {
        let failed: string | undefined;
        yield {
          arm: () => this.#write(1, nth, choice),
          disarm: () => {
            this.#write(0, 0, 0, false);
            failed = this.#read();
            return failed;
          },
        };
        if (failed === undefined) misses++;
        else {
          misses = 0;
          choices = this.#block.readUInt32LE(16);
          this.count++;
          this.failed.add(failed);
        }
      }
    }
  }

  #write(armed: number, nth: number, choice: number, all = true): void {
    const block = Buffer.alloc(all ? BYTES : 4);
    if (all) {
      block.writeUInt32LE(nth, 4);
      block.writeUInt32LE(choice, 8);
      // Not armed before the rest is there.
      writeSync(this.#fd, block, 0, block.length, 0);
    }
    block.writeUInt32LE(armed, 0);
    writeSync(this.#fd, block, 0, 4, 0);
  }

  #read(): string | undefined {
    readSync(this.#fd, this.#block, 0, BYTES, 0);
    const error = this.#block.readInt32LE(20);
    if (error === 0) return undefined;
    const name = this.#block.subarray(24, this.#block.indexOf(0, 24)).toString();
    return `${name} ${error}`;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/**
 * Makes one system call after the other fail in a scene of children/queue-faults.ts, lock-faults.ts or connection-faults.ts,
 * which finds nothing wrong. Returns the calls that have failed.
 */
export async function expectHarmlessFaults(program: FaultProgram, scene: string): Promise<string> {
  const { faults, count, problems } = await runWithFaults(program, [scene]);
  expect(problems, problems.join('\n')).to.deep.equal([]);
  expect(count).to.be.greaterThan(0);
  return faults.join();
}

async function runWithFaults(name: string, args: readonly string[]): Promise<FaultReport> {
  const folder = mkdtempSync(join(tmpdir(), 'faults-'));
  try {
    const control = join(folder, 'control');
    writeFileSync(control, Buffer.alloc(BYTES));
    const preload = [process.env['LD_PRELOAD'], cLibrary('faults')].filter(Boolean).join(':');
    const peer = spawnPeer(child(name), {
      args,
      env: { FAULTS: control, LD_PRELOAD: preload },
      watchdogMs: WATCHDOG_MS,
    });
    const found = (await report(peer)) as FaultReport;
    await peer.succeeded();
    return found;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
