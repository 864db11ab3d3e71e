// SPDX-License-Identifier: MIT
//
// One round: a family at saturation, blows against its members, and its end.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { within } from '../../helpers/assertions.js';
import type { Family, Kind, Member, Role } from './family.js';
import { Board, REST, STOP, WORK, type Place } from './ledger.js';
import type { Options } from './options.js';
import type { Blow } from './schedule.js';
import { judge, type Verdict } from './verdict.js';

/** How often the board is read, in milliseconds. It bounds the precision of the times to recovery. */
const LOOK_MS = 2;

/** Which member is where. The order is that of the slots. */
export interface Cast {
  readonly role: Role;
  readonly kind: Kind;
}

export interface RoundResult extends Verdict {
  readonly blows: { readonly SIGKILL: number; readonly SIGSTOP: number; readonly SIGTERM: number };
  /** From each blow to the next step of a producer and of a consumer that it has not hit, in milliseconds. */
  readonly recoveries: readonly number[];
  /** How many blows no step followed for the whole patience: 0 or 1, which ends the round. */
  readonly hangs: number;
  /** What the accounts say that they should not. */
  readonly accounts: readonly string[];
  readonly countedLost: number | undefined;
  readonly seconds: number;
}

interface Seat extends Cast {
  readonly slot: number;
  member: number;
  running: Member | undefined;
  /** As the board showed them last. */
  steps: number;
  /** A stopped member makes no steps, and a killed one is replaced when it has ended. */
  state: 'starting' | 'ready' | 'stopped' | 'dying';
}

/** A blow after which a producer and a consumer have still to make a step. */
interface Open {
  readonly at: number;
  /** How far the members were that it has not hit, by their slots. */
  readonly before: ReadonlyMap<number, { readonly member: number; readonly steps: number }>;
  readonly waitsFor: Set<Role>;
}

/** After so many times the patience, a single member hangs that makes no step while others do: they may starve it. */
const STARVED = 8;

export class Round {
  readonly #family: Family;
  readonly #sizes: readonly number[];
  readonly #patienceMs: number;
  readonly #brisk: boolean;
  readonly #folder = mkdtempSync(join(tmpdir(), 'chaos-'));
  readonly #board: Board;
  readonly #seats: Seat[];
  readonly #killed = new Set<number>();
  readonly #ends: Promise<unknown>[] = [];
  readonly #blows = { SIGKILL: 0, SIGSTOP: 0, SIGTERM: 0 };
  readonly #recoveries: number[] = [];
  readonly #lastSteps: Record<Role, number> = { produce: 0, consume: 0 };
  #open: Open[] = [];
  #members = 0;
  #replaces = true;
  #failures = 0;
  #terminated = 0;

  constructor(
    family: Family,
    cast: readonly Cast[],
    sizes: readonly number[],
    { patienceMs, brisk }: Pick<Options, 'patienceMs' | 'brisk'>,
  ) {
    this.#family = family;
    this.#sizes = sizes;
    this.#patienceMs = patienceMs;
    this.#brisk = brisk;
    for (const name of ['ledger', 'errors']) writeFileSync(join(this.#folder, name), '');
    writeFileSync(join(this.#folder, 'board'), Buffer.alloc(16 * (cast.length + 1)));
    this.#board = new Board(this.#folder, cast.length);
    this.#seats = cast.map((each, slot) => ({
      ...each,
      slot,
      member: 0,
      running: undefined,
      steps: 0,
      state: 'starting',
    }));
  }

  /** Runs until all blows are dealt, or no call goes on. */
  async run(blows: Iterable<Blow>): Promise<RoundResult> {
    const begun = performance.now();
    let hangs = 0;
    try {
      for (const seat of this.#seats) await this.#start(seat);
      for (const blow of blows) {
        if (!(await this.#strike(blow))) {
          hangs++;
          break;
        }
        // A member that has met an error ends, which is the end of the round.
        if (this.#failures > 0) break;
      }
      if (hangs === 0 && !(await this.#until(() => this.#open.length === 0))) hangs++;
      const ended = hangs === 0 && (await this.#end());
      if (hangs === 0 && !ended) hangs++;
      const settled = ended && this.#failures === 0;
      const accounts = settled ? await this.#family.audit(this.#terminated, this.#killed) : [];
      const verdict = judge(this.#folder, this.#family.mayLose?.(this.#killed) ?? this.#killed);
      const seconds = (performance.now() - begun) / 1000;
      const { lost: countedLost } = this.#family;
      return { ...verdict, blows: this.#blows, recoveries: this.#recoveries, hangs, accounts, countedLost, seconds };
    } finally {
      this.#replaces = false;
      for (const { running } of this.#seats) signal(running, 'SIGKILL');
      await Promise.all(this.#ends);
      this.#board.close();
      await this.#family.close();
      rmSync(this.#folder, { recursive: true });
    }
  }

  async #start(seat: Seat): Promise<void> {
    const member = ++this.#members;
    const place: Place = { folder: this.#folder, slot: seat.slot, member, sizes: this.#sizes };
    seat.member = member;
    seat.state = 'starting';
    seat.running = undefined;
    const running = await this.#family.start(seat.role, seat.kind, place);
    seat.running = running;
    const end = running.ended.then(async (well) => {
      if (!well && seat.state !== 'dying') this.#failures++;
      if (this.#replaces && seat.member === member) await this.#start(seat);
    });
    this.#ends.push(end);
  }

  /** False if the family did not get ready for the blow. */
  async #strike(blow: Blow): Promise<boolean> {
    const seat = this.#seats[blow.slot % this.#seats.length]!;
    // Others of both roles are at work, so that there is something to recover.
    const fit = (): boolean =>
      seat.state === 'ready' && (['produce', 'consume'] as const).every((role) => this.#has(role, seat));
    const getsFit = (): Promise<boolean> => this.#until(() => this.#failures > 0 || fit());
    if (this.#brisk) {
      // Saturation matters at the time of the blow. While a member starts, it would only take CPU time.
      this.#board.tell(REST);
      if (!(await getsFit())) return false;
      this.#board.tell(WORK);
    }
    await this.#look(blow.after);
    if (!(await getsFit())) return false;
    if (this.#failures > 0) return true;
    const others = this.#seats.filter((each) => each !== seat && each.state === 'ready');
    const before = new Map(
      others.map(({ slot, member }) => [slot, { member, steps: this.#board.steps(slot, member) }]),
    );
    this.#open.push({ at: performance.now(), before, waitsFor: new Set(['produce', 'consume']) });
    const way = this.#wayOf(seat, blow);
    this.#blows[way]++;
    if (way === 'SIGSTOP') {
      seat.state = 'stopped';
      signal(seat.running, 'SIGSTOP');
      const stopped = seat.running;
      setTimeout(() => {
        signal(stopped, 'SIGCONT');
        if (seat.running === stopped) seat.state = 'starting';
      }, blow.pause);
    } else {
      seat.state = 'dying';
      if (!this.#family.isUnrecorded) this.#killed.add(seat.member);
      const workerOnly = seat.kind === 'worker' && blow.workerOnly;
      if (workerOnly) this.#terminated++;
      signal(seat.running, workerOnly ? 'SIGUSR2' : way);
    }
    return true;
  }

  #wayOf(seat: Seat, { signal }: Blow): Blow['signal'] {
    if (!this.#family.isUnrecorded) return signal;
    return seat.kind === 'c' && signal !== 'SIGSTOP' ? 'SIGTERM' : 'SIGSTOP';
  }

  #has(role: Role, besides: Seat): boolean {
    return this.#seats.some((each) => each !== besides && each.role === role && each.state === 'ready');
  }

  /** Reads the board for this long. */
  async #look(ms: number): Promise<void> {
    const until = performance.now() + ms;
    do {
      this.#lookOnce();
      await sleep(LOOK_MS);
    } while (performance.now() < until);
  }

  /** Reads the board until the condition holds. False if it does not while the members of a role make no steps. */
  async #until(condition: () => boolean): Promise<boolean> {
    const begun = performance.now();
    for (;;) {
      this.#lookOnce();
      if (condition()) return true;
      const now = performance.now();
      const lastStep = Math.max(begun, Math.min(this.#lastSteps.produce, this.#lastSteps.consume));
      if (now - lastStep > this.#patienceMs || now - begun > STARVED * this.#patienceMs) return false;
      await sleep(LOOK_MS);
    }
  }

  #lookOnce(): void {
    this.#board.look();
    for (const seat of this.#seats) {
      const steps = this.#board.steps(seat.slot, seat.member);
      if (steps > 1 && steps !== seat.steps) this.#lastSteps[seat.role] = performance.now();
      seat.steps = steps;
      // The first step is taken before the first call, so the second shows that a call has ended.
      if (seat.state === 'starting' && steps > 1) seat.state = 'ready';
    }
    for (const open of this.#open) {
      for (const { slot, member, role, steps } of this.#seats) {
        const before = open.before.get(slot);
        if (before !== undefined && steps > (member === before.member ? before.steps : 1)) open.waitsFor.delete(role);
      }
      if (open.waitsFor.size === 0) this.#recoveries.push(performance.now() - open.at);
    }
    this.#open = this.#open.filter((open) => open.waitsFor.size > 0);
  }

  /** Lets the producers end, then the consumers. False if some of them do not. */
  async #end(): Promise<boolean> {
    this.#replaces = false;
    this.#family.stop?.();
    this.#board.tell(STOP);
    const ends = (role: Role): Promise<unknown> =>
      Promise.all(this.#seats.map((seat) => (seat.role === role && seat.running?.ended) || Promise.resolve(true)));
    try {
      await this.#whileMembersWork(ends('produce'), 'the end of the producers');
      const left = this.#seats.filter((seat) => seat.role === 'consume' && seat.state !== 'dying').length;
      await this.#whileMembersWork(this.#family.endConsumers(left), 'the last items');
      await this.#whileMembersWork(ends('consume'), 'the end of the consumers');
      return true;
    } catch (error) {
      console.error(String(error));
      return false;
    }
  }

  /** Waits as long as members make steps within the patience: without a limit, many items may be left. */
  async #whileMembersWork(promise: Promise<unknown>, what: string): Promise<void> {
    for (let steps = -1; ;) {
      try {
        await within(this.#patienceMs, promise, what);
        return;
      } catch (error) {
        const before = steps;
        this.#board.look();
        steps = this.#seats.reduce((sum, { slot, member }) => sum + this.#board.steps(slot, member), 0);
        if (steps === before) throw error;
      }
    }
  }
}

function signal(member: Member | undefined, name: NodeJS.Signals): void {
  if (member === undefined) return;
  try {
    process.kill(member.pid, name);
  } catch {
    // It has ended by itself meanwhile.
  }
}
