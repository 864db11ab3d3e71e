// SPDX-License-Identifier: MIT
//
// Compiled, never run: the uses that the types of locks must accept, and after each @ts-expect-error a use that they
// must refuse.
/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unnecessary-type-parameters --
   Values are there for their types. The function that compares these is never called. */
import {
  attach,
  BoundedSemaphore,
  Condition,
  describe,
  Event,
  type Guard,
  Lock,
  NamedSemaphore,
  RLock,
  SEM_VALUE_MAX,
  Semaphore,
  SemLock,
  type AcquireOptions,
  type ConditionDescriptor,
  type Describable,
  type Descriptor,
  type EventDescriptor,
  type NotOwner,
  type OwnerDied,
  type ReleasedTooOften,
  type SemLockDescriptor,
  type WaitLimits,
} from 'node-multiprocessing';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if both types are the same. */
function same<A, B>(_: Equal<A, B>): void {
  // There is nothing to do at run time.
}

export function making(locks: (...all: SemLock[]) => void, describable: (...all: Describable[]) => void): void {
  locks(new Lock(), new RLock(), new Semaphore(), new BoundedSemaphore(3), new Semaphore(SEM_VALUE_MAX));
  describable(new Lock(), new Condition(), new Condition(new Lock()), new Event());
  // @ts-expect-error A Lock has no value to begin with.
  new Lock(1);
  // @ts-expect-error Values are numbers.
  new Semaphore('1');
  // @ts-expect-error A condition's lock is a Lock or an RLock.
  new Condition(new Semaphore());
  // @ts-expect-error An Event takes nothing.
  new Event({});
  // @ts-expect-error What all locks have in common is no lock.
  new SemLock();
  // @ts-expect-error Made by create and open.
  new NamedSemaphore('/name');
}

export async function acquiring(
  lock: Lock,
  semaphore: BoundedSemaphore,
  options: (options: AcquireOptions) => void,
): Promise<void> {
  same<ReturnType<typeof lock.acquire>, Promise<boolean>>(true);
  same<ReturnType<typeof lock.acquireSync>, boolean>(true);
  await lock.acquire({ timeout: 5, signal: AbortSignal.timeout(1), block: true });
  lock.acquireSync({ block: false });
  await semaphore.acquire({ timeout: null });
  same<typeof lock.value, number>(true);
  same<typeof lock.name, string>(true);
  same<typeof lock.closed, boolean>(true);
  lock.ref().unref().close();
  // @ts-expect-error Options, unlike CPython's acquire(block).
  await lock.acquire(true);
  // @ts-expect-error Times are numbers.
  lock.acquireSync({ timeout: '5' });
  // @ts-expect-error Only its owner can say what its value is.
  lock.value = 1;
  options({ timeout: undefined, block: undefined, signal: undefined });
}

export async function scopes(lock: RLock, condition: Condition): Promise<void> {
  const text = await lock.withLock(() => 'text');
  same<typeof text, string>(true);
  const awaited = await condition.withLock(async () => Promise.resolve(5), { timeout: 5 });
  same<typeof awaited, number>(true);
  same<ReturnType<typeof lock.guard>, Promise<Guard>>(true);
  const guard = await condition.guard({ signal: AbortSignal.abort() });
  guard.release();
  {
    await using held = await lock.guard();
    using mine = new Lock();
    same<typeof held, Guard>(true);
    mine.release();
  }
  // @ts-expect-error A function is needed.
  await lock.withLock('text');
  // @ts-expect-error A caller that does not want to wait calls acquire.
  await lock.withLock(() => 1, { block: false });
}

export function recovering(lock: RLock, semaphore: Semaphore): void {
  same<ReturnType<typeof lock.recover>, boolean>(true);
  lock.recover({ force: true });
  // @ts-expect-error Not an option.
  lock.recover({ always: true });
  // @ts-expect-error A semaphore has no holder.
  semaphore.recover();
}

export async function conditions(condition: Condition, limits: (limits: WaitLimits) => void): Promise<void> {
  same<ReturnType<typeof condition.wait>, Promise<boolean>>(true);
  same<ReturnType<typeof condition.waitSync>, boolean>(true);
  await condition.wait();
  await condition.wait(5);
  await condition.wait(null);
  await condition.wait({ timeout: 5, signal: AbortSignal.abort() });
  const found = await condition.waitFor(() => (Math.random() > 0.5 ? 'found' : undefined), 5);
  same<typeof found, 'found' | undefined>(true);
  const later = await condition.waitFor(async () => Promise.resolve(1));
  same<typeof later, number>(true);
  const now = condition.waitForSync(() => 1, { timeout: 5 });
  same<typeof now, number>(true);
  await condition.notify();
  await condition.notify(2);
  condition.notifySync(2);
  await condition.notifyAll();
  condition.notifyAllSync();
  // @ts-expect-error Numbers are counted.
  await condition.notify('all');
  // @ts-expect-error A predicate is a function.
  await condition.waitFor(true);
  limits(null);
  limits({ timeout: Infinity });
  // @ts-expect-error A time or options.
  limits('5');
}

export async function events(event: Event): Promise<void> {
  same<ReturnType<typeof event.isSet>, Promise<boolean>>(true);
  same<ReturnType<typeof event.isSetSync>, boolean>(true);
  same<ReturnType<typeof event.wait>, Promise<boolean>>(true);
  same<ReturnType<typeof event.set>, Promise<void>>(true);
  await event.wait({ timeout: 5 });
  event.setSync();
  event.clearSync();
  await event.clear();
  event.waitSync(5);
  event.close();
}

export async function named(): Promise<void> {
  const semaphore = NamedSemaphore.create('/name', 1);
  same<typeof semaphore, NamedSemaphore>(true);
  same<ReturnType<typeof NamedSemaphore.open>, NamedSemaphore>(true);
  same<ReturnType<typeof semaphore.wait>, Promise<boolean>>(true);
  same<ReturnType<typeof semaphore.tryWait>, boolean>(true);
  await semaphore.wait({ timeout: 5 });
  semaphore.waitSync();
  semaphore.post();
  semaphore.unlink();
  NamedSemaphore.unlink('/name');
  // @ts-expect-error Names are texts.
  NamedSemaphore.open(5);
  // @ts-expect-error The name does not change.
  semaphore.name = '/other';
  // @ts-expect-error Only its name stands for it.
  describe(semaphore);
}

export function sharing(lock: Lock, condition: Condition, given: Descriptor): void {
  same<ReturnType<typeof describe>, Descriptor>(true);
  describe(lock, { nodeOnly: true });
  const text: string = JSON.stringify(describe(condition));
  const any = attach(JSON.parse(text) as Descriptor);
  same<typeof any, Describable>(true);
  const a = attach({ type: 'Lock', semaphore: { name: '/mp-python' } });
  same<typeof a, Lock>(true);
  const b = attach({ type: 'BoundedSemaphore', semaphore: { name: '/mp-python' }, bound: 3 });
  same<typeof b, BoundedSemaphore>(true);
  same<typeof given.type, Descriptor['type']>(true);
  // The type of the descriptor decides the type of the result.
  if (given.type === 'Condition') {
    same<typeof given, ConditionDescriptor>(true);
    const c = attach(given);
    same<typeof c, Condition>(true);
  } else if (given.type === 'Event') {
    same<typeof given, EventDescriptor>(true);
    const e = attach(given);
    same<typeof e, Event>(true);
  } else if (given.type === 'Lock' || given.type === 'RLock') {
    same<typeof given, SemLockDescriptor>(true);
  }
  // @ts-expect-error Not an option.
  describe(lock, { pythonToo: true });
  // @ts-expect-error No such object.
  attach({ type: 'Mutex', semaphore: { name: '/x' } });
  // @ts-expect-error A semaphore has a name.
  attach({ type: 'Lock', semaphore: {} });
}

export function errors(died: OwnerDied, released: ReleasedTooOften, owner: NotOwner): void {
  same<typeof died.code, 'ERR_MP_OWNER_DIED'>(true);
  same<typeof released.code, 'ERR_MP_RELEASED_TOO_OFTEN'>(true);
  same<typeof owner.code, 'ERR_MP_NOT_OWNER'>(true);
  same<typeof died.pid, number>(true);
  same<typeof died.certain, boolean>(true);
  // @ts-expect-error The code does not change.
  died.code = 'ERR_MP_EOF';
}
