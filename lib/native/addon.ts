// SPDX-License-Identifier: MIT
//
// The interface of the native addon. Everything in it is mechanism: descriptors, framing, waiting. Endpoints are small
// integers; results are >= 0, a negated errno, or one of `status`.
import { loadAddon } from './load-addon.js';

/** The events that a descriptor can be waited for. */
export const READ = 1;
export const WRITE = 2;

/** The state of an endpoint. */
export interface Inspection {
  /** The method of I/O in use: 0 nowait, 1 reopen, 2 poll. Only pipes have more than one. */
  readonly readRung: number;
  readonly writeRung: number;
  /** Announced and received bytes of the message that is being received or was refused. */
  readonly length: number;
  readonly received: number;
  /** Bytes accepted but not yet written. */
  readonly pending: number;
}

/** Named semaphores, by ids of their own, and the families whose registers hold their names. */
export interface NativeSemaphores {
  /** Whether one thread can wait for many semaphores on this system. */
  readonly waitsForMany: boolean;

  /** Creates a semaphore under a new name of this process' family. Returns its id. */
  create(value: number): number;
  /** Opens the semaphore that a member of a family created with this number. */
  attach(family: string, number: number): number;
  /** Opens a semaphore by a name from outside; with `create` it must not exist yet. */
  openNamed(name: string, create: boolean, value: number): number;
  unlinkNamed(name: string): number;
  /** Closes the semaphore, and unlinks its name if this environment created it. */
  close(id: number): void;
  /** Defers the closing until `unpin`: a child was given the address and has not opened the semaphore yet. */
  pin(id: number): void;
  unpin(id: number): void;
  describe(id: number): { name: string; family: string; number: number };

  /**
   * Makes the family's table record whether this environment holds the semaphore or, with `waits`, how many of its
   * calls wait on the condition.
   */
  track(id: number, waits: boolean): void;
  /** Marks the semaphore as used by processes that keep no holder records. */
  expose(id: number): void;

  /** 0, or `again` if the value is 0. */
  tryWait(id: number): number;
  /** The last attempt of a call that gives up: 0, `timedOut`, or `ownerDied`. */
  tryWaitLast(id: number): number;
  /** Retries for up to `ns` nanoseconds, for less if that has not paid off before: 0 or `again`. */
  spin(id: number, ns: number): number;
  /** 0, `timedOut`, `interrupted`, `canceled`, or `ownerDied`. */
  waitSync(id: number, timeoutMs: number): number;
  /** Starts a wait in the order of the calls. Its result is a completion with the number `request`. */
  wait(id: number, request: number): number;
  /** Ends a wait: no completion follows, and a value that was already taken is given back. */
  cancelWait(request: number): void;
  /** An id for `arm`, readable while there are completions. */
  completions(): number;
  /** Writes pairs (request, status: 0 or `ownerDied`). Returns their number. */
  takeCompletions(pairs: Int32Array): number;
  /** Posts; `overflow`, without posting, if the value has reached `most` (-1: no limit). */
  post(id: number, most: number): number;
  value(id: number): number;

  /** The pid of a dead holder, or 0. */
  deadHolder(id: number): number;
  /** 1 if a live process is recorded as a holder. */
  hasLiveHolder(id: number): number;
  /** Posts in place of a dead holder; with `force`, also of one without a record: 1, or 0 if there is none. */
  recover(id: number, force: boolean): number;
  setWaiting(id: number, count: number): void;
  /** How many waiting calls of other members have died since the last call. */
  reapDeadWaiters(id: number): number;

  /**
   * The family in which this process makes semaphores, and the descriptor that makes a child a member; undefined
   * without a family.
   */
  ownFamily(): { readonly family: string; readonly fd: number } | undefined;
  /** Joins a family by an inherited descriptor, which becomes this process' own membership. */
  inheritFamily(family: string, fd: number): number;

  familyFolder(): string;
  /**
   * Removes the names that families without a living member have left. Returns pairs (family, number of names), or
   * -errno.
   */
  sweep(): [string, number][] | number;
}

/** Children of this process, and this process as a child. */
export interface NativeProcesses {
  /** A descriptor that is readable once this child has ended. ESRCH if it was reaped. */
  open(pid: number): number;
  /**
   * How a child has ended, without reaping it: its exit code, `killedBy` + signal, `again` while it runs, -ECHILD if it
   * was reaped.
   */
  end(pid: number): number;
  readonly killedBy: number;
  /**
   * In a worker: registers its child, which is reaped for the worker if that ends first. A copy of `channel`, if that
   * is not -1, stays open until the child has ended.
   */
  started(pid: number, channel: number): number;
  ended(pid: number): void;
  /** Ends this process when the other end of this descriptor is closed in all processes. */
  endWithParent(fd: number): number;
  /** A text that all environments of the process share: that of `setRole`, or else the first `initial`. */
  role(initial: string): string;
  setRole(role: string): void;
}

/** Stream sockets before they are connected, by ids that can be armed; `release` closes them. */
export interface NativeSockets {
  /** `ip`: IPv4, otherwise unix. A socket that connects must not block; `take` makes it blocking. */
  open(ip: boolean, nonBlocking: boolean): number;
  /** `name`: four bytes of an IPv4 address, or the bytes of a path or of an abstract name. */
  bind(id: number, ip: boolean, name: Uint8Array, port: number): number;
  listen(id: number, backlog: number): number;
  /** The descriptor of the next connection, or `again`. `peer`: as in `localAddress`. */
  accept(id: number, peer: Uint8Array): number;
  /** 0 connected, `inProgress` (writable once decided), or `again` (the listener's queue is full). */
  connect(id: number, ip: boolean, name: Uint8Array, port: number): number;
  connectResult(id: number): number;
  /** Six bytes: IPv4 address and port, the latter big-endian. */
  localAddress(id: number, out: Uint8Array): number;
  /** The connected descriptor, which the caller owns from then on. The id is no longer valid. */
  take(id: number, ip: boolean): number;
}

/** Queues, by ids of their own. Ids of parts that a queue does not have are -1. */
export interface NativeQueues {
  /** Flags of a queue, seen by all Node members: see QueueState. */
  readonly isShutDown: number;
  readonly dropped: number;
  readonly broken: number;

  /**
   * `make` says that the queue is new, so that no other process has it yet. The ids are of endpoints and semaphores.
   */
  open(
    reader: number,
    writer: number,
    rlock: number,
    wlock: number,
    places: number,
    unfinished: number,
    levelReader: number,
    levelWriter: number,
    maxsize: number,
    make: boolean,
  ): number;

  /**
   * The length of one item, now at the start of `slab`; `largeMessage`; `again`: nothing has arrived; `busy`: something
   * has, but another member has the lock; `shutDown`, `queueBroken`, or a failure. `expected` says that something
   * should have arrived.
   */
  get(id: number, slab: Uint8Array, expected: boolean): number;
  /** As `receiveLarge`. */
  getLarge(id: number, into: Uint8Array, budget: number): number;
  messageLength(id: number): number;
  /** Hands over the lock for getting, which was acquired on behalf of this queue. The queue releases it. */
  adoptLock(id: number): void;
  /** 1 if an item was read in part. */
  inside(id: number): number;
  /** Recovers the queue after deaths of members: 0 or `queueBroken`. */
  check(id: number): number;
  /** How many bytes are in the pipe. */
  readable(id: number): number;

  /**
   * How many bytes now wait to be written, 0 if the item was written; `again` if no slot is free and none was taken
   * before (`hasPlace`).
   */
  put(id: number, data: Uint8Array, hasPlace: boolean): number;
  /** As `put`, for an item in two pieces: a `lead` of at most 16 bytes, and `data`. */
  putLed(id: number, data: Uint8Array, hasPlace: boolean, lead: Uint8Array): number;
  /** Requests a completion for when at most `most` bytes wait: 0, or the failure that made that impossible. */
  notifyWhen(id: number, most: number, request: number): number;
  forget(id: number, request: number): void;
  /** Lets the process end although items wait to be written. */
  cancel(id: number): void;
  /** The number of free slots. Also of a closed queue. */
  freePlaces(id: number): number;

  flags(id: number): number;
  addFlags(id: number, flags: number): void;
  /** Ends getting. Accepted items are still written. */
  close(id: number): void;
  release(id: number): void;

  /** At the end of the environment: reads the rest of an item that was read in part. */
  finish(timeoutMs: number): void;
  /** For the process: how many queues, items and bytes wait to be written, and a name of one of the queues. */
  processWaiting(): [queues: number, items: number, bytes: number, name: string];
  /** Requests a completion for when nothing waits to be written in this process. */
  notifyWhenIdle(request: number): number;
  /** At the end of the process: it stops counting as a reader of the queues to which it still has to write. */
  cutReaders(): void;
  /** At the end of the process: no further item is begun. 1 if no item is half written. */
  stopFeeders(): number;
}

/** The exports of the addon. */
export interface Native {
  readonly semaphores: NativeSemaphores;
  readonly processes: NativeProcesses;
  readonly sockets: NativeSockets;
  readonly queues: NativeQueues;

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
    readonly ownerDied: number;
    readonly queueBroken: number;
    readonly shutDown: number;
    readonly again: number;
    readonly interrupted: number;
    readonly timedOut: number;
    readonly canceled: number;
    readonly notWatchable: number;
    readonly busy: number;
    readonly overflow: number;
    readonly inProgress: number;
    readonly refused: number;
  };
  /** The largest message that `receive` returns whole, and the size of its buffer. */
  readonly smallBytes: number;
  readonly isMainThread: boolean;

  /** The size of the memory that `takeHeld` needs. */
  readonly mostHeldBytes: number;
  /** How much of a message that has to wait is copied; the rest stays in the caller's memory. */
  readonly copiedBytes: number;

  /** Once per environment. `onReady(count)` is called with `count` pairs (id, interest) in `events`. */
  start(isMainThread: boolean, onReady: (count: number) => void, events: Int32Array): number;

  /** A socketpair or a pipe (reader first); the ids are written to `ids`. */
  makePair(socket: boolean, ids: Int32Array, maxMessageBytes: number, readAhead: boolean, rung: number): number;
  /** Takes over an open descriptor. Returns its id. */
  adopt(fd: number, maxMessageBytes: number, readAhead: boolean, rung: number): number;
  /** Kind (0 pipe, 1 socket, 2 other), readable, writable, connected stream, owned by an endpoint. */
  describe(fd: number, out: Int32Array): number;
  /** An id for waiting on any descriptor. It keeps a copy of the descriptor until `release`. */
  watch(fd: number): number;
  /** Drops this environment's reference; the last one in the process closes the descriptor. */
  release(id: number): void;
  fileno(id: number): number;
  inspect(id: number): Inspection;

  /** Reports the id through `onReady` as long as one of `interest` is possible; 0 ends that. */
  arm(id: number, interest: number): number;
  /** Whether the poller keeps the event loop alive. */
  setRef(on: boolean): void;
  /** How long the event loop polls for ready ids before it sleeps, at most; 0 (the default) means not at all. */
  setSpin(ns: number): number;

  setReadAhead(id: number, on: boolean): void;
  /**
   * Takes out the bytes that were read ahead, so that another reader can continue the stream; `busy` inside a large
   * message.
   */
  takeHeld(id: number, out: Uint8Array): number;
  /** The counterpart, before anything was read: puts such bytes in front of the stream. */
  putHeld(id: number, bytes: Uint8Array): number;
  /** The length of the message that is being received. */
  messageLength(id: number): number;
  /** 1 if a receive would make progress from memory alone. */
  readReady(id: number): number;
  /**
   * The length of one small message, now at the start of `slab`. With `mayWait`, a read that would most likely find
   * nothing is skipped, since the caller will be called when data arrives.
   *
   * In the Sync forms `uninterrupted` says that JavaScript listens for no signal, so that a wait without a time limit
   * need not end for one.
   */
  receive(id: number, slab: Uint8Array, maxLength: number, mayWait: boolean): number;
  receiveSync(
    id: number,
    slab: Uint8Array,
    maxLength: number,
    timeoutMs: number,
    spinNs: number,
    uninterrupted: boolean,
  ): number;
  /**
   * Continues a large message, in memory that begins with the bytes that have arrived. Returns how many are there now.
   */
  receiveLarge(id: number, into: Uint8Array, budget: number): number;
  receiveLargeSync(id: number, into: Uint8Array, timeoutMs: number, uninterrupted: boolean): number;
  receiveDescriptor(id: number): number;

  /** Sends a message, while no other waits: 0 when it was written, its number when it waits. */
  send(id: number, data: Uint8Array, offset: number, size: number): number;
  /** Adds a message behind those that wait, without writing. Returns its number; numbers grow, and are used once. */
  append(id: number, data: Uint8Array, offset: number, size: number): number;
  /** As `append`, for bytes that are written without framing. */
  appendUnframed(id: number, data: Uint8Array): number;
  appendDescriptor(id: number, fd: number): number;
  /**
   * Writes waiting messages. Returns how many were completed. `borrowed` is the memory of the first message that
   * borrows.
   */
  flush(id: number, borrowed: Uint8Array | undefined, offset: number, size: number, budget: number): number;
  /** As `flush`, until the first waiting message is complete. */
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
  dropPending(id: number): void;

  /**
   * Blocks until one of several triples (descriptor, interest, ready) is ready. Returns how many are, 0 at the timeout.
   */
  poll(triples: Int32Array, timeoutMs: number): number;
  closeDescriptor(fd: number): void;
  /** A second, close-on-exec descriptor for the same file, above 2. It belongs to no environment. */
  duplicate(fd: number): number;
  /** Makes the blocked calls of all other environments return, permanently. */
  cancelBlockedCalls(): void;
}

export const native = loadAddon() as Native;
