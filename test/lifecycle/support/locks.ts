// SPDX-License-Identifier: MIT
//
// Shared by the tests of locks: the calls that can wait, peers that run calls, and what /dev/shm shows of semaphores
// and families.
import { existsSync, readdirSync, readFileSync } from 'node:fs';

import { expect } from 'chai';
import {
  attach,
  Condition,
  describe,
  Event,
  Lock,
  NamedSemaphore,
  RLock,
  type ConditionDescriptor,
  type Descriptor,
  type EventDescriptor,
  type SemaphoreAddress,
} from 'node-multiprocessing';

import { spawnPeer, type Peer, type Program } from '../../helpers/peers.js';
import { newestPython, type Python } from '../../helpers/pythons.js';
import { child, pythonChild, report, type Report } from './programs.js';

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** The two halves of glibc's semaphore: its value, and the number of its sleepers. */
function words(name: string): Buffer {
  return readFileSync(`/dev/shm/sem.${name.slice(1)}`);
}

export function valueOf(name: string): number {
  return words(name).readUInt32LE(0);
}

/** The number of threads that sleep on a semaphore. */
export function sleepersOn(name: string): number {
  return words(name).readUInt32LE(4);
}

const folder = `/dev/shm/mp-${process.getuid?.() ?? ''}`;

export function registerOf(family: string): string {
  return `${folder}/${family}`;
}

/** Everything that a family has in /dev/shm: its semaphores, its register and its table. */
export function namesOfFamily(family: string): string[] {
  const semaphores = readdirSync('/dev/shm').filter((name) => name.startsWith(`sem.mp-${family}-`));
  return [...semaphores, ...[family, `${family}.holders`].filter((name) => existsSync(`${folder}/${name}`))];
}

/** The addresses of all semaphores in a descriptor. */
export function addressesOf(descriptor: Report): SemaphoreAddress[] {
  if (typeof descriptor !== 'object' || descriptor === null) return [];
  if (typeof descriptor.family === 'string') return [descriptor as SemaphoreAddress];
  return Object.values(descriptor as object).flatMap(addressesOf);
}

/** What another process needs to find an object. */
export type Target = Descriptor | { readonly type: 'Named'; readonly name: string };
export type Kind = 'Lock' | 'RLock' | 'Condition' | 'Event' | 'Named';

export function attachTarget(target: Target): Lock | RLock | Condition | Event | NamedSemaphore {
  return target.type === 'Named' ? NamedSemaphore.open(target.name) : (attach(target) as Lock | Condition | Event);
}

export interface LockCall {
  readonly name: string;
  readonly kind: Kind;
  readonly sync: boolean;
  /** Makes the call, which then waits on an object from `makeScene`. */
  start(object: never): unknown;
  /** Makes the call again after an interruption. */
  again(object: never): unknown;
}

const nothing = (): void => undefined;

function call(name: string, kind: Kind, start: LockCall['start'], again = start): LockCall {
  return { name, kind, sync: name.endsWith('Sync'), start, again };
}

export const lockCalls: readonly LockCall[] = [
  call('acquire', 'Lock', (lock: Lock) => lock.acquire()),
  call('withLock', 'Lock', (lock: Lock) => lock.withLock(nothing)),
  call('guard', 'RLock', (lock: RLock) => lock.guard()),
  call('Condition.wait', 'Condition', (condition: Condition) => condition.withLock(() => condition.wait())),
  call('Event.wait', 'Event', (event: Event) => event.wait()),
  call('NamedSemaphore.wait', 'Named', (semaphore: NamedSemaphore) => semaphore.wait()),
  call('acquireSync', 'Lock', (lock: Lock) => lock.acquireSync()),
  call(
    'Condition.waitSync',
    'Condition',
    (condition: Condition) => {
      condition.acquireSync();
      return condition.waitSync();
    },
    (condition: Condition) => condition.waitSync(),
  ),
  call('Event.waitSync', 'Event', (event: Event) => event.waitSync()),
  call('NamedSemaphore.waitSync', 'Named', (semaphore: NamedSemaphore) => semaphore.waitSync()),
];

export const asyncLockCalls = lockCalls.filter(({ sync }) => !sync);
export const syncLockCalls = lockCalls.filter(({ sync }) => sync);

/** An object on which a call of this kind has to wait. */
export interface Scene {
  readonly target: Target;
  /** The semaphore on which the call sleeps. */
  readonly waitsOn: string;
  /** Makes the one call that waits succeed. */
  satisfy(): Promise<void> | void;
  /** Asserts that no call waits, and that none has ever taken or given anything. */
  expectUntouched(): Promise<void>;
  close(): void;
}

let names = 0;
const scenes: Scene[] = [];

/** To be called after each test that makes scenes. */
export function closeScenes(): void {
  for (const scene of scenes.splice(0)) scene.close();
}

export function makeScene(kind: Kind): Scene {
  const scene = newScene(kind);
  scenes.push(scene);
  return scene;
}

function newScene(kind: Kind): Scene {
  switch (kind) {
    case 'Lock':
    case 'RLock': {
      const lock = kind === 'Lock' ? new Lock() : new RLock();
      lock.acquireSync();
      const target = describe(lock, { nodeOnly: true });
      return {
        target,
        waitsOn: addressesOf(target)[0]!.name,
        satisfy: () => lock.release(),
        async expectUntouched() {
          expect(lock.value).to.equal(0);
          lock.release();
          expect(lock.value).to.equal(1);
          expect(await lock.acquire({ timeout: 0 })).to.be.true;
        },
        close: () => lock.close(),
      };
    }
    case 'Condition': {
      const condition = new Condition();
      const target = describe(condition, { nodeOnly: true });
      const { condition: parts, lock } = target as ConditionDescriptor;
      return {
        target,
        waitsOn: parts.wait.name,
        satisfy: () => condition.withLock(() => condition.notify()),
        async expectUntouched() {
          await condition.withLock(() => condition.notify());
          expect(await condition.withLock(() => condition.wait(20))).to.be.false;
          await condition.withLock(() => condition.notify());
          expect(addressesOf(parts).map(({ name }) => valueOf(name))).to.deep.equal([0, 0, 0]);
          expect(addressesOf(lock).map(({ name }) => valueOf(name))).to.deep.equal([1]);
        },
        close: () => condition.close(),
      };
    }
    case 'Event': {
      const event = new Event();
      const target = describe(event, { nodeOnly: true });
      return {
        target,
        waitsOn: (target as EventDescriptor).event.condition.wait.name,
        satisfy: () => event.set(),
        async expectUntouched() {
          expect(await event.isSet()).to.be.false;
          await event.set();
          expect(await event.wait()).to.be.true;
          await event.clear();
          expect(await event.wait(20)).to.be.false;
        },
        close: () => event.close(),
      };
    }
    case 'Named': {
      const name = `/mp-test-${process.pid}-${names++}`;
      const semaphore = NamedSemaphore.create(name);
      return {
        target: { type: 'Named', name },
        waitsOn: name,
        satisfy: () => semaphore.post(),
        expectUntouched() {
          expect(semaphore.value).to.equal(0);
          return Promise.resolve();
        },
        close() {
          semaphore.unlink();
          semaphore.close();
        },
      };
    }
  }
}

const FUTEX = process.arch === 'arm64' ? '98' : '202';

/** Resolves when a process' main thread sleeps on this semaphore. */
export function untilBlockedOn(name: string, pid: number): Promise<void> {
  return until(() => readFileSync(`/proc/${pid}/syscall`, 'utf8').startsWith(`${FUTEX} `) && sleepersOn(name) > 0);
}

/** A process that runs calls on an object. */
export class Member {
  readonly peer: Peer;
  readonly #blocks: boolean;

  private constructor(program: Program, target: Target | 'create') {
    this.peer = spawnPeer(program, { args: [JSON.stringify(target)] });
    this.#blocks = program.language === 'python';
  }

  static async start(program: Program, target: Target | 'create'): Promise<Member> {
    const member = new Member(program, target);
    expect(await report(member.peer)).to.have.property('ready');
    return member;
  }

  static node(target: Target): Promise<Member> {
    return Member.start(child('lock-peer'), target);
  }

  static python(target: Target, python: Python = newestPython()): Promise<Member> {
    return Member.start(pythonChild(python, 'lock-peer'), target);
  }

  tell(name: string, ...args: unknown[]): void {
    this.peer.tell(JSON.stringify([name, ...args]));
  }

  /** How the last call ended: { result } or { code }. */
  async outcome(): Promise<Report> {
    for (;;) {
      const { call, ...rest } = await report(this.peer);
      if (call !== undefined) return rest;
    }
  }

  /** Makes a call and returns how it ends. */
  async call(name: string, ...args: unknown[]): Promise<Report> {
    this.tell(name, ...args);
    return this.outcome();
  }

  /** Makes a call and resolves when it waits for this semaphore. */
  async wait(semaphore: string, name: string, ...args: unknown[]): Promise<void> {
    this.tell(name, ...args);
    const said = await report(this.peer);
    expect(said, JSON.stringify(said)).to.have.any.keys('calling', 'pending');
    if (this.#blocks || name.endsWith('Sync')) await untilBlockedOn(semaphore, this.peer.pid);
  }

  async kill(): Promise<void> {
    this.peer.kill('SIGKILL');
    expect((await this.peer.exit).signal).to.equal('SIGKILL');
  }
}
