// SPDX-License-Identifier: MIT
//
// What the addon exports, declared once, here and in queue-functions.ts. Everything here is mechanism: descriptors, framing,
// waiting. Endpoints, queues and semaphores are named by small integers, their ids. Results are >= 0, a negated errno, or one of
// `status`.
import { loadAddon } from './load-addon.js';
import type { NativeArrays, NativeMemory } from './memory-functions.js';
import type { NativeLeases, NativeQueues } from './queue-functions.js';
import { readSettings } from './settings.js';

/** What a descriptor may be waited for. */
export const READ = 1;
export const WRITE = 2;

export interface Inspection {
  /** The I/O method in use: 0 nowait, 1 reopen, 2 poll. Only pipes have more than one. */
  readonly readMethod: number;
  readonly writeMethod: number;
  /** Announced and received bytes of the message that is being received or was refused. */
  readonly length: number;
  readonly received: number;
  /** Bytes accepted but not yet written. */
  readonly pending: number;
}

/** Families, the trees of processes whose names in the system are swept together, and their registers. */
export interface NativeFamilies {
  /** The family in which this process creates semaphores, and the descriptor that makes a child a member. */
  own(): { readonly family: string; readonly fd: number } | undefined;
  /** Makes an inherited membership the one in which this process creates semaphores. */
  inherit(family: string, fd: number): number;

  /** Where the registers of this user's families are, at least one folder, or -errno. It need not exist. */
  folders(): string[] | number;
  /** The families with a register, or -errno: EPERM if the folder is not this user's own. */
  list(folder: string): string[] | number;
  /** The semaphores that a register lists, or -errno. Where the system does not tell, they count as existing. */
  names(folder: string, family: string): [name: string, label: string, exists: boolean][] | number;
  /** The value of a semaphore and how many threads sleep on it, each -1 where the system does not tell; or -errno. */
  semaphore(name: string): [value: number, sleepers: number] | number;
  /** Which processes hold which locks of a family, by the numbers of the semaphores; or -errno. */
  holders(folder: string, family: string): [number: number, pid: number][] | number;
  /** The items of the queue whose first lock has this number, and whether all members count them; or -errno. */
  queue(
    folder: string,
    family: string,
    number: number,
  ): [put: number, got: number, lost: number, kept: number] | number;
  /** The other processes that are members of families, or -errno where the system does not tell. */
  members(folder: string): [family: string, pid: number][] | number;
  /** Removes what families without members have left. Returns how many names each had, or -errno. */
  sweep(folder: string): [family: string, names: number][] | number;
}

/** Named semaphores, by ids of their own. */
export interface NativeSemaphores {
  /** Whether one thread can wait for many semaphores on this system. */
  readonly waitsForMany: boolean;

  /** Creates a semaphore under a new name of this process' family. The register has the label. Returns its id. */
  create(value: number, label: string): number;
  /** Opens the semaphore with this number of a family. */
  attach(family: string, number: number): number;
  /** Opens a semaphore by a name from outside. With `create` it must not exist yet. */
  openNamed(name: string, create: boolean, value: number): number;
  unlinkNamed(name: string): number;
  /** Also removes the name if this environment created the semaphore. */
  close(id: number): void;
  /** While a semaphore is pinned, closing it is deferred: a process was given its name and has not opened it yet. */
  pin(id: number): void;
  unpin(id: number): void;
  describe(id: number): { name: string; family: string; number: number };

  /**
   * Records in the family's table whether this environment holds it, or how many calls wait on its condition. 0, or a
   * negated errno if there is no memory for a record.
   */
  track(id: number, waits: boolean): number;
  /** Marks the semaphore as used by processes that keep no holder records. */
  expose(id: number): void;

  /** 0, or `again` if the value is 0. */
  tryWait(id: number): number;
  /** For a caller whose time is up: 0, `timedOut`, or `ownerDied`. */
  tryWaitLast(id: number): number;
  /** Tries for up to `ns` nanoseconds, for less if that was in vain before: 0 or `again`. */
  spin(id: number, ns: number): number;
  /** 0, `timedOut`, `interrupted`, `canceled`, or `ownerDied`. */
  waitSync(id: number, timeoutMs: number): number;
  /** Waits in line with other requests. The outcome is a completion with the number `request`. */
  wait(id: number, request: number): number;
  /** Withdraws a request: no completion comes any more, and a value that was taken is posted again. */
  cancelWait(request: number): void;
  /** An id to be armed, which is readable while there are completions. */
  completions(): number;
  /** Removes completions: pairs (request, status 0 or `ownerDied`). Returns how many pairs. */
  takeCompletions(pairs: Int32Array): number;
  /** Posts. `overflow`, without posting, if the value has reached `max` (-1: no limit). */
  post(id: number, max: number): number;
  value(id: number): number;

  /** The pid of a dead holder, or 0. */
  deadHolder(id: number): number;
  /** Posts on behalf of a dead holder, with `force` also of one without a record: 1, or 0 if there is none. */
  recover(id: number, force: boolean): number;
  setWaiting(id: number, count: number): void;
  /** How many calls wait on the condition that the semaphore belongs to, by their records. */
  countWaiting(id: number): number;
  /** How many of these are alive and look into the semaphore alone. */
  countWithoutTag(id: number): number;
  /** How many of these were notified, which they have not noticed yet. */
  countNotified(id: number): number;
  /** Leaves at most `most` notifications in the table for waiters that are alive: how many were left. */
  leaveNotifications(id: number, most: number): number;
  /** Takes one that was left for this environment, or for a waiter that waits no more: 1, or 0 if there is none. */
  takeNotification(id: number): number;
  /** Takes one that was left for this environment, if there are more than `calls`: 1, or 0 if there is none. */
  takeSurplusNotification(id: number, calls: number): number;
  /** Takes the notifications that were left for waiters that wait no more: how many there were. */
  takeOrphanedNotifications(id: number): number;
  /** How many waiting calls have ended with their processes since the last call. */
  reapDeadWaiters(id: number): number;
}

/** Children of this process, and this process as a child. */
export interface NativeProcesses {
  /** A descriptor that is readable once this child has ended. ESRCH if it was reaped. */
  open(pid: number): number;
  /** How a child has ended: its exit code, `killedBy` + signal, `again` while it runs, -ECHILD if it was reaped. */
  end(pid: number): number;
  readonly killedBy: number;
  /**
   * Called in a worker: if the worker ends before this child, a thread reaps the child. A copy of `channel`, if that is
   * not -1, stays open until the child has ended.
   */
  started(pid: number, channel: number): number;
  ended(pid: number): void;
  /** Ends this process once no process has the other end of `fd`: by SIGTERM, and `graceMs` later by SIGKILL. */
  endWithParent(fd: number, graceMs: number): number;
  /**
   * A descriptor for a new Python child, which writes there what its resource tracker should know. This process reads
   * until the child and its descendants have ended. When one of these ends, the locks that it held are released, as far
   * as they are among the `semaphores` that the child is given, by their ids.
   */
  trackResources(semaphores: Int32Array): number;
  /**
   * The descriptors of other processes that this one may see, with the flags of open(2), and the other ends of Unix sockets where
   * the system tells these; or -errno.
   */
  listDescriptors(): [pid: number, fd: number, object: string, flags: number, program: string, peer: string][] | number;
  /** Text that all environments of the process share: what `setRole` has set, else the first `initial`. */
  role(initial: string): string;
  setRole(role: string): void;
  /** What the addons of other copies of the package in this process have as such texts, without empty ones. */
  rolesOfOtherCopies(): string[];
}

/** Stream sockets before they are connected, by ids that can be armed. `release` closes them. */
export interface NativeSockets {
  /** `ip`: IPv4, otherwise unix. A socket that connects must be non-blocking. `take` makes it blocking. */
  open(ip: boolean, nonBlocking: boolean): number;
  /** `name`: four bytes of an IPv4 address, or the bytes of a path or of an abstract name. */
  bind(id: number, ip: boolean, name: Uint8Array, port: number): number;
  listen(id: number, backlog: number): number;
  /** Accepts the next connection. Returns its descriptor, or `again`. `peer`: as in `localAddress`. */
  accept(id: number, peer: Uint8Array): number;
  /** 0 connected, `inProgress` (writable once decided), or `again` (the listener's queue is full). */
  connect(id: number, ip: boolean, name: Uint8Array, port: number): number;
  connectResult(id: number): number;
  /** Six bytes: IPv4 address and port, the latter big-endian. */
  localAddress(id: number, out: Uint8Array): number;
  /** Returns the connected descriptor, which the caller owns from now on. The id is no longer valid. */
  take(id: number, ip: boolean): number;
  /** Ends a TCP connection when the other host has given no sign of life for so many milliseconds. */
  limitSilence(fd: number, ms: number): number;
}

export interface Native {
  readonly semaphores: NativeSemaphores;
  readonly families: NativeFamilies;
  readonly processes: NativeProcesses;
  readonly sockets: NativeSockets;
  readonly queues: NativeQueues;
  readonly leases: NativeLeases;
  readonly memory: NativeMemory;
  readonly arrays: NativeArrays;

  /** Codes that are not errno values, and the few errno values that are handled by name. */
  readonly status: {
    readonly endOfFile: number;
    readonly truncated: number;
    readonly badLength: number;
    readonly tooLong: number;
    readonly largeMessage: number;
    readonly unexpectedDescriptor: number;
    readonly noDescriptor: number;
    readonly bufferChanged: number;
    readonly unreadable: number;
    readonly itemLost: number;
    readonly ownerDied: number;
    readonly queueBroken: number;
    readonly shutDown: number;
    readonly noThread: number;
    readonly again: number;
    readonly interrupted: number;
    readonly timedOut: number;
    readonly canceled: number;
    readonly noMemory: number;
    readonly notWatchable: number;
    readonly busy: number;
    readonly overflow: number;
    readonly notFound: number;
    readonly inProgress: number;
    readonly refused: number;
  };
  /** The largest message that is handed out whole, and the size of a buffer for one. */
  readonly smallBytes: number;
  /** How much `receive` reads at most in one call, and the least room that it needs. */
  readonly aheadBytes: number;
  readonly frameBytes: number;
  readonly isMainThread: boolean;

  /** The size of the memory that `takeHeld` needs. */
  readonly mostHeldBytes: number;
  /** How much of a message that has to wait is copied; the rest stays in the caller's memory. */
  readonly copiedBytes: number;

  /**
   * Decides with which I/O method new endpoints of this environment begin. The first call in the process also decides
   * whether semaphores are tried in turn. See settings.ts.
   */
  /** Lets the allocator keep freed memory of large messages for later ones, 64 MiB at its heap's end: 1, or 0 if it cannot. */
  keepFreedMemory(): number;
  /** Gives back to the system what the allocator has kept, but for 64 MiB. */
  trimMemory(): void;
  /** Asks the kernel for all pages of fresh memory at once. */
  populate(memory: Uint8Array): void;
  /** Enlarges the kernel's buffer for what this endpoint sends. 1 if it is larger now, 0 or -errno. */
  growBuffer(id: number): number;
  /** Takes this back: 0, or -EBUSY while the buffer is full. */
  shrinkBuffer(id: number): number;
  configure(ioMethod: number, semaphoresInTurn: boolean): void;
  /** Once per environment. `onReady(count)` is called when there are `count` pairs (id, interest) in `events`. */
  start(isMainThread: boolean, onReady: (count: number) => void, events: Int32Array): number;

  /** Makes a socketpair or a pipe (reader first). The ids are written to `ids`. */
  makePair(socket: boolean, ids: Int32Array, maxMessageBytes: number, readAhead: boolean): number;
  /** Makes an endpoint that owns an open descriptor. Returns its id. */
  adopt(fd: number, maxMessageBytes: number, readAhead: boolean): number;
  /** Kind (0 pipe, 1 socket, 2 other), readable, writable, connected stream, owned by an endpoint. */
  describe(fd: number, out: Int32Array): number;
  /** An id for waiting on any descriptor. It keeps a copy of the descriptor until `release`. */
  watch(fd: number): number;
  /** Gives up this environment's reference. The last one in the process closes the descriptor. */
  release(id: number): void;
  fileno(id: number): number;
  inspect(id: number): Inspection;

  /** Reports the id by `onReady` for as long as one of `interest` is possible; 0 ends that. */
  arm(id: number, interest: number): number;
  /** Whether waiting keeps the event loop alive. */
  setRef(on: boolean): void;
  /** For how long the event loop polls for ready ids before it sleeps, at most; 0 (the default) for not at all. */
  setSpin(ns: number): number;

  /** Reads ahead once the process that passed the descriptor on has marked it: see `markLastCopy`. */
  readAheadOnceAlone(id: number): void;
  /** No read goes beyond the current message from now on. 1 if reads did until now. */
  stopReadingAhead(id: number): number;
  /** Says to the process that got the descriptor from here that this process closes its own copy now. */
  markLastCopy(id: number): void;
  /** Removes what was read ahead, for another reader of the stream to go on with. `busy` inside a large message. */
  takeHeld(id: number, out: Uint8Array): number;
  /** Puts bytes before those that were read ahead, between two messages. */
  putHeld(id: number, bytes: Uint8Array): number;
  /** The length of the message that is being received. */
  messageLength(id: number): number;
  /** 1 if a receive would make progress from memory alone. */
  readReady(id: number): number;
  /**
   * Puts small messages that are there into `slab`, from `offset` on: as many as fit, or one without reading ahead. Each has
   * a header of four bytes, its length in big-endian order. Returns how many bytes they take together. With `mayWait` a read
   * that would most likely find nothing is omitted: the caller waits for readiness instead.
   *
   * In the Sync forms `uninterrupted` says that JavaScript listens for no signal, so that a wait without a time limit
   * need not end for one.
   */
  receive(id: number, slab: Uint8Array, offset: number, maxLength: number, mayWait: boolean): number;
  receiveSync(
    id: number,
    slab: Uint8Array,
    offset: number,
    maxLength: number,
    timeoutMs: number,
    spinNs: number,
    uninterrupted: boolean,
  ): number;
  /** Continues a large message in memory that begins with what has arrived. Returns how many bytes are there now. */
  receiveLarge(id: number, into: Uint8Array, budget: number): number;
  receiveLargeSync(id: number, into: Uint8Array, timeoutMs: number, uninterrupted: boolean): number;
  receiveDescriptor(id: number): number;

  /** Only while nothing waits: 0 when the message was written, its number when it waits. */
  send(id: number, data: Uint8Array, offset: number, size: number): number;
  /**
   * Adds a message behind what waits, without writing, and copies at most `copied` bytes of it. Returns its number; numbers grow,
   * and are used once.
   */
  append(id: number, data: Uint8Array, offset: number, size: number, copied: number): number;
  /** The same for bytes that are no message, but a part of the stream as they are. */
  appendUnframed(id: number, data: Uint8Array): number;
  appendDescriptor(id: number, fd: number): number;
  /** Writes what waits. Returns how many messages were completed. `borrowed`: the memory of the first that borrows. */
  flush(id: number, borrowed: Uint8Array | undefined, offset: number, size: number, budget: number): number;
  /** The same, until the first waiting message is complete. */
  flushSync(
    id: number,
    borrowed: Uint8Array | undefined,
    offset: number,
    size: number,
    timeoutMs: number,
    uninterrupted: boolean,
  ): number;
  /** 1: the message was taken back. 0: it was written in part or whole, and what it borrowed has been copied. */
  withdraw(id: number, message: number, borrowed: Uint8Array | undefined, offset: number, size: number): number;
  /** Drops what waits. 1: a message that was written in part is cut off. */
  dropPending(id: number): number;
  /** How many bytes were sent and are not written yet. */
  pendingBytes(id: number): number;
  /** From now on, what waits is written by another thread if this one does not come to it. `exitLimitMs`: also after a worker. */
  accept(id: number, exitLimitMs: number): void;
  /** Makes memory for gathered messages, which JavaScript must keep. Returns its number. See send-slab.ts. */
  makeSlab(memory: Uint8Array): number;
  /** Puts what will be in the memory in line, until the next call that sends or writes something on the endpoint. */
  lend(id: number, slab: number): number;

  /** Blocks on triples (descriptor, interest, ready) together. Returns how many are ready, 0 at the timeout. */
  poll(triples: Int32Array, timeoutMs: number): number;
  closeDescriptor(fd: number): void;
  /** A second descriptor for the same open file, close-on-exec and above 2. No environment owns it. */
  duplicate(fd: number): number;
  /** Makes the blocked calls of all other threads' environments return, for good. */
  cancelBlockedCalls(): void;
}

/**
 * V8 keeps an object to which Node-API has added properties as a dictionary, in which it searches at each use. In a copy it knows
 * where each property is, and takes what it finds for constant.
 */
function withKnownProperties(exported: Native): Native {
  const copy: Record<string, unknown> = { ...exported };
  for (const [name, part] of Object.entries(copy)) {
    if (typeof part === 'object') copy[name] = { ...part };
  }
  return copy as unknown as Native;
}

const addon = loadAddon() as Native & { known?: Native };

/** One object for all copies of this module in an environment, as the exports of the addon are. */
export const native = (addon.known ??= withKnownProperties(addon));

const { ioMethod, semaphoresInTurn } = readSettings();
native.configure(ioMethod, semaphoresInTurn);
