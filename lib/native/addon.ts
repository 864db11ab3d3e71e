// SPDX-License-Identifier: MIT
//
// The native surface, declared once. Everything here is mechanism: descriptors, framing, waiting. Endpoints are small
// integers; results are >= 0, a negated errno, or one of `status`.
import { loadAddon } from './load-addon.js';

/** What a descriptor may be waited for. */
export const READ = 1;
export const WRITE = 2;

export interface Inspection {
  /** The rung in use: 0 nowait, 1 reopen, 2 poll. Only pipes have more than one. */
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
  /** Whether one thread waits for many semaphores here. */
  readonly waitsForMany: boolean;

  /** A new one under a fresh name of this process' family. Returns its id. */
  create(value: number): number;
  /** The one that a member of a family created with this number. */
  attach(family: string, number: number): number;
  /** One by a name from outside; with `create` it must not exist yet. */
  openNamed(name: string, create: boolean, value: number): number;
  unlinkNamed(name: string): number;
  /** Its name goes too if this environment created it. */
  close(id: number): void;
  /** While a semaphore is pinned its closing is put off: somebody has been told where it is who has not opened it yet. */
  pin(id: number): void;
  unpin(id: number): void;
  describe(id: number): { name: string; family: string; number: number };

  /** Has the family's table record whether this environment holds it, or how many of its calls wait on its condition. */
  track(id: number, waits: boolean): void;
  /** Remembers that the name was given to somebody who records nothing. */
  expose(id: number): void;

  /** 0, or `again` if the value is 0. */
  tryWait(id: number): number;
  /** For one who gives up waiting: 0, `timedOut`, or `ownerDied`. */
  tryWaitLast(id: number): number;
  /** Tries for up to `ns` nanoseconds, for less if that has not paid off before: 0 or `again`. */
  spin(id: number, ns: number): number;
  /** 0, `timedOut`, `interrupted`, `canceled`, or `ownerDied`. */
  waitSync(id: number, timeoutMs: number): number;
  /** Takes part in a queue; what comes of it is a completion with the number `request`. */
  wait(id: number, request: number): number;
  /** No completion comes any more, and a value that was taken is given back. */
  cancelWait(request: number): void;
  /** An id to be armed, which is readable while there are completions. */
  completions(): number;
  /** Pairs (request, status: 0 or `ownerDied`); how many. */
  takeCompletions(pairs: Int32Array): number;
  /** Posts; `overflow`, without posting, if the value has reached `most` (-1: no limit). */
  post(id: number, most: number): number;
  value(id: number): number;

  /** The pid of a dead holder, or 0. */
  deadHolder(id: number): number;
  /** 1 if somebody who is alive has a record of holding it. */
  hasLiveHolder(id: number): number;
  /** Posts in place of a dead holder, with `force` also of one without a record: 1, or 0 if there is none. */
  recover(id: number, force: boolean): number;
  setWaiting(id: number, count: number): void;
  /** How many waiting calls of others have died since the last time. */
  reapDeadWaiters(id: number): number;

  /** The family in which this process makes semaphores, and the descriptor that makes a child a member; undefined without one. */
  ownFamily(): { readonly family: string; readonly fd: number } | undefined;
  /** Makes an inherited membership this process' own. */
  inheritFamily(family: string, fd: number): number;

  familyFolder(): string;
  /** Removes what families without a living member have left: (family, number of names), or -errno. */
  sweep(): [string, number][] | number;
}

/** Children of this process, and this process as a child. */
export interface NativeProcesses {
  /** A descriptor that is readable once this child has ended. ESRCH if it was reaped. */
  open(pid: number): number;
  /** How a child has ended, without reaping it: its exit code, `killedBy` + signal, `again` while it runs, -ECHILD if it was reaped. */
  end(pid: number): number;
  readonly killedBy: number;
  /**
   * In a worker: that it has this child, which is to be reaped should the worker end first. A copy of `channel`, if that is
   * not -1, stays open until the child has ended.
   */
  started(pid: number, channel: number): number;
  ended(pid: number): void;
  /** Ends this process when nobody has the other end of this descriptor any more. */
  endWithParent(fd: number): number;
  /** Text that all environments of the process share: what `setRole` has set, or else the first `initial`. */
  role(initial: string): string;
  setRole(role: string): void;
}

/** Stream sockets before they are connected, by ids that can be armed; `release` closes them. */
export interface NativeSockets {
  /** `ip`: IPv4, otherwise unix. One that connects must not block, and becomes blocking in `take`. */
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
  /** The connected descriptor, which belongs to the caller from now on. The id is gone. */
  take(id: number, ip: boolean): number;
}

/** Queues, by ids of their own. Ids of parts that a queue does not have are -1. */
export interface NativeQueues {
  /** Flags of a queue, which all Node members see: see QueueState. */
  readonly isShutDown: number;
  readonly dropped: number;
  readonly broken: number;

  /** `make` for a queue that nobody else knows yet. The ids are of endpoints and semaphores. */
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
   * The length of one item, now at the start of `slab`; `largeMessage`; `again`: nothing is there; `busy`: something is, but
   * somebody else has the lock; `shutDown`, `queueBroken`, or a failure. `expected` says that something should be there.
   */
  get(id: number, slab: Uint8Array, expected: boolean): number;
  /** As `receiveLarge`. */
  getLarge(id: number, into: Uint8Array, budget: number): number;
  messageLength(id: number): number;
  /** The lock for getting was taken on behalf of this queue, which gives it back. */
  adoptLock(id: number): void;
  /** 1 if a part of an item was read. */
  inside(id: number): number;
  /** Looks after members that have died: 0 or `queueBroken`. */
  check(id: number): number;
  /** How many bytes are in the pipe. */
  readable(id: number): number;

  /** How many bytes wait to be written now, 0 if the item was; `again` if there is no place and none was taken before. */
  put(id: number, data: Uint8Array, hasPlace: boolean): number;
  /** The same for an item in two pieces: a `lead` of at most 16 bytes, and `data`. */
  putLed(id: number, data: Uint8Array, hasPlace: boolean, lead: Uint8Array): number;
  /** A completion comes when at most so many bytes wait: 0, or what made that impossible. */
  notifyWhen(id: number, most: number, request: number): number;
  forget(id: number, request: number): void;
  /** What waits need not be written before the process ends. */
  cancel(id: number): void;
  /** How many more items there is a place for. Also of a closed queue. */
  freePlaces(id: number): number;

  flags(id: number): number;
  addFlags(id: number, flags: number): void;
  /** Ends getting; what was put is still written. */
  close(id: number): void;
  release(id: number): void;

  /** For the end of the environment: reads to its end what is half read. */
  finish(timeoutMs: number): void;
  /** Of the process: how many queues, items and bytes wait to be written, and a name of one of the queues. */
  processWaiting(): [queues: number, items: number, bytes: number, name: string];
  /** A completion comes when nothing waits in this process. */
  notifyWhenIdle(request: number): number;
  /** For the end of the process: it no longer counts as a reader of queues that it has still to write to. */
  cutReaders(): void;
  /** For the end of the process: no further item is begun. 1 if none is half written. */
  stopFeeders(): number;
}

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
  /** The largest message that `receive` hands out whole, and the size of its buffer. */
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
  /** An id for waiting on any descriptor, of which it keeps a copy until `release`. */
  watch(fd: number): number;
  /** Gives up this environment's reference; the last one in the process closes the descriptor. */
  release(id: number): void;
  fileno(id: number): number;
  inspect(id: number): Inspection;

  /** Reports the id through `onReady` for as long as one of `interest` is possible; 0 ends that. */
  arm(id: number, interest: number): number;
  /** Whether waiting keeps the event loop alive. */
  setRef(on: boolean): void;
  /** For how long the event loop looks for ready ids before it sleeps, at most; 0 (the default) for not at all. */
  setSpin(ns: number): number;

  setReadAhead(id: number, on: boolean): void;
  /** Takes out what was read ahead, for another reader of the stream to go on with; `busy` inside a large message. */
  takeHeld(id: number, out: Uint8Array): number;
  /** The other side of that, before anything was read. */
  putHeld(id: number, bytes: Uint8Array): number;
  /** The length of the message that is being received. */
  messageLength(id: number): number;
  /** 1 if a receive would make progress from memory alone. */
  readReady(id: number): number;
  /**
   * The length of one small message, now at the start of `slab`. With `mayWait` a read that would most likely find nothing
   * is left out: the caller waits to be told instead.
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
  /** Continues a large message into memory that begins with what has arrived; how much is there now. */
  receiveLarge(id: number, into: Uint8Array, budget: number): number;
  receiveLargeSync(id: number, into: Uint8Array, timeoutMs: number, uninterrupted: boolean): number;
  receiveDescriptor(id: number): number;

  /** Only while nothing waits: 0 when the message was written, its number when it waits. */
  send(id: number, data: Uint8Array, offset: number, size: number): number;
  /** Adds a message behind what waits, without writing. Returns its number; numbers grow, and are used once. */
  append(id: number, data: Uint8Array, offset: number, size: number): number;
  /** The same for bytes that are no message, but a part of the stream as they are. */
  appendUnframed(id: number, data: Uint8Array): number;
  appendDescriptor(id: number, fd: number): number;
  /** Writes what waits; how many messages were completed. `borrowed` is the memory of the first message that borrows. */
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
  dropPending(id: number): void;

  /** Blocks on triples (descriptor, interest, ready) together; how many are ready, 0 at the timeout. */
  poll(triples: Int32Array, timeoutMs: number): number;
  closeDescriptor(fd: number): void;
  /** A second, close-on-exec descriptor for the same thing, above 2. It belongs to no environment. */
  duplicate(fd: number): number;
  /** Makes the blocked calls of all other threads' environments return, for good. */
  cancelBlockedCalls(): void;
}

export const native = loadAddon() as Native;
