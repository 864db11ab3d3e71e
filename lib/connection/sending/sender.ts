// SPDX-License-Identifier: MIT
//
// The sending half of a channel: when a message is written, and what its send waits for.
import { isLimited, type Limits } from '../../core/deadline.js';
import { InterruptedError, systemError, TimeoutError } from '../../core/errors.js';
import { prepareCopy } from '../../core/message-memory.js';
import { sendError } from '../../core/status-errors.js';
import type { KeepAlive } from '../../event-loop/keep-alive.js';
import { takeShare, takeTurn } from '../../event-loop/reactor.js';
import { flushUnwritten, writeNowIfExiting } from '../../event-loop/sync-wait.js';
import { native } from '../../native/addon.js';
import { Acceptance } from './acceptance.js';
import { COPIED_BYTES, Delivery, type SenderOwner } from './delivery.js';
import { WITHDRAWN } from './line.js';
import { BlockingSend, entryOf, PendingSend, type QueuedEntry } from './message-group.js';
import type { OutgoingObjectMessage } from '../object-message.js';
import type { SendBuffer } from './send-buffer.js';
import { GATHERED_MESSAGE_BYTES, takeSlab, type SendSlab } from './send-slab.js';
import { TickBatch } from './tick-batch.js';

/** The bytes of a message's header, unless the message is longer than 2 GiB. */
const HEADER_BYTES = 4;

const none: readonly number[] = [];
/** More than has room in the memory for gathered messages. */
const FULL = Infinity;
const resolved = Promise.resolve();

/** A message that waits, and the call that has sent it. */
interface Outgoing {
  readonly data: Uint8Array;
  readonly offset: number;
  readonly size: number;
  readonly operation: string;
  readonly limits: Limits;
  readonly keepAlive: KeepAlive;
}

export class Sender {
  readonly id: number;
  readonly #buffer: SendBuffer;
  readonly #delivery: Delivery;
  readonly #batch: TickBatch;
  readonly #acceptance: Acceptance | undefined;
  /** Memory that this sender may have, unless the native layer has taken it back since. */
  #slab: SendSlab | undefined;

  /** @param acceptedBytes How many bytes may wait whose sends have resolved. With 0 a send resolves when it is written. */
  constructor(id: number, channel: SenderOwner, buffer: SendBuffer, acceptedBytes: number) {
    this.id = id;
    this.#buffer = buffer;
    this.#acceptance = acceptedBytes > 0 ? new Acceptance(acceptedBytes) : undefined;
    this.#delivery = new Delivery(id, channel, this.#acceptance);
    this.#batch = new TickBatch(() => {
      if (!this.#delivery.blocked) this.#delivery.flush();
      // The memory is scarce, and this sender does not write soon.
      else if (this.#slab?.isOf(id) === true) this.#delivery.collect();
    }, acceptedBytes > 0);
  }

  get pending(): boolean {
    return !this.#delivery.line.isEmpty;
  }

  send(
    data: Uint8Array,
    offset: number,
    size: number,
    operation: string,
    limits: Limits,
    keepAlive: KeepAlive,
  ): Promise<void> {
    const refused = this.#delivery.refusal();
    if (refused !== undefined) return Promise.reject(refused);
    this.#buffer.prepare(size);
    const acceptance = this.#acceptance;
    if (this.#delivery.line.isEmpty && !this.#batch.gathering && (acceptance !== undefined || takeTurn())) {
      const status = native.send(this.id, data, offset, size);
      if (status < 0) return Promise.reject(sendError(status, operation));
      if (status === 0) {
        this.#batch.begin();
        return resolved;
      }
      const rest =
        acceptance === undefined
          ? this.#wait(data, offset, size, operation, limits, keepAlive, status)
          : this.#acceptRest(acceptance, { data, offset, size, operation, limits, keepAlive }, status);
      this.#delivery.setBlocked();
      return rest;
    }
    if (acceptance !== undefined) {
      takeShare(size);
      return this.#accept(acceptance, data, offset, size, operation, limits, keepAlive);
    }
    if (size <= GATHERED_MESSAGE_BYTES && !isLimited(limits) && this.#gather(data, offset, size)) {
      const sent = this.#delivery.gather(keepAlive);
      this.#added();
      return sent;
    }
    const number = native.append(this.id, data, offset, size, COPIED_BYTES);
    if (number < 0) return Promise.reject(sendError(number, operation));
    const sent = this.#wait(data, offset, size, operation, limits, keepAlive, number);
    if (!this.#delivery.blocked) this.#addLarge(size);
    return sent;
  }

  /** A send that need not wait for the kernel if there is room for its message. */
  #accept(
    acceptance: Acceptance,
    data: Uint8Array,
    offset: number,
    size: number,
    operation: string,
    limits: Limits,
    keepAlive: KeepAlive,
  ): Promise<void> {
    const bytes = HEADER_BYTES + size;
    if (!acceptance.hasRoom(bytes)) {
      if (!this.#delivery.blocked) this.#delivery.flush();
      else acceptance.update(native.pendingBytes(this.id));
      // The write may have failed.
      const refused = this.#delivery.refusal();
      if (refused !== undefined) return Promise.reject(refused);
    }
    if (acceptance.hasRoom(bytes)) {
      if (size > GATHERED_MESSAGE_BYTES || !this.#gather(data, offset, size)) {
        prepareCopy(size);
        const number = native.append(this.id, data, offset, size, size);
        if (number < 0) return Promise.reject(sendError(number, operation));
      }
      this.#acceptMessage(acceptance, bytes, keepAlive);
      if (!this.#delivery.blocked && size > GATHERED_MESSAGE_BYTES) this.#addLarge(size);
      return resolved;
    }
    const number = native.append(this.id, data, offset, size, COPIED_BYTES);
    if (number < 0) return Promise.reject(sendError(number, operation));
    return this.#waitForRoom(acceptance, { data, offset, size, operation, limits, keepAlive }, number, bytes);
  }

  /** The same for a message of which the kernel has taken only a part, or nothing. */
  #acceptRest(acceptance: Acceptance, message: Outgoing, number: number): Promise<void> {
    const { data, offset, size, keepAlive } = message;
    const left = native.pendingBytes(this.id);
    let status = -1;
    if (acceptance.hasRoom(left)) {
      // What does not lie in the native layer yet is copied there.
      status = size > COPIED_BYTES ? native.withdraw(this.id, number, data, offset, size) : 0;
      if (status === WITHDRAWN) {
        prepareCopy(size);
        status = native.append(this.id, data, offset, size, size);
      }
    }
    if (status < 0) return this.#waitForRoom(acceptance, message, number, left);
    this.#acceptMessage(acceptance, left, keepAlive);
    return resolved;
  }

  #acceptMessage(acceptance: Acceptance, bytes: number, keepAlive: KeepAlive): void {
    acceptance.add(bytes);
    this.#delivery.accept(keepAlive);
    this.#added();
  }

  #waitForRoom(acceptance: Acceptance, message: Outgoing, number: number, bytes: number): Promise<void> {
    const { data, offset, size, operation, limits, keepAlive } = message;
    const call = new PendingSend(keepAlive);
    const entry = this.#delivery.enqueue(data, offset, size, call, number, none);
    acceptance.addWaiting(entry, call, bytes);
    if (isLimited(limits)) this.#limit(call, entry, operation, limits);
    this.#added();
    return call.promise;
  }

  /** Puts a small message into the memory for gathered ones. False if there is none. */
  #gather(data: Uint8Array, offset: number, size: number): boolean {
    const delivery = this.#delivery;
    if (this.#slab?.isOf(this.id) === true) {
      if (this.#slab.put(this.id, data, offset, size)) return true;
      if (!delivery.blocked && this.#batch.isFull(FULL)) delivery.flush();
      else delivery.collect();
    }
    this.#slab = takeSlab(this.id);
    return this.#slab?.put(this.id, data, offset, size) === true;
  }

  /** After a message was put in line. */
  #added(): void {
    this.#batch.add();
    writeNowIfExiting();
  }

  /** After a message was put in line that may be worth a write by itself. */
  #addLarge(size: number): void {
    this.#batch.add();
    if (this.#batch.isFull(size)) this.#delivery.flush();
  }

  /** Sends bytes that are not a message. The other side has to find their end by itself. */
  sendUnframed(data: Uint8Array, keepAlive: KeepAlive): Promise<void> {
    const number = native.appendUnframed(this.id, data);
    if (number < 0) return Promise.reject(systemError(number, 'write'));
    const limits = { timeout: Infinity, signal: undefined };
    const sent = this.#wait(data, 0, data.byteLength, 'start', limits, keepAlive, number);
    if (!this.#delivery.blocked) this.#delivery.flush();
    return sent;
  }

  sendHandle(fd: number, limits: Limits, keepAlive: KeepAlive): Promise<void> {
    const refused = this.#delivery.refusal();
    if (refused !== undefined) return Promise.reject(refused);
    const number = native.appendDescriptor(this.id, fd);
    if (number < 0) return Promise.reject(systemError(number, 'sendmsg'));
    const sent = this.#wait(undefined, 0, 0, 'sendHandle', limits, keepAlive, number);
    if (!this.#delivery.blocked) this.#delivery.flush();
    return sent;
  }

  /** Sends a message and the descriptors behind it, between which nothing may come. */
  sendObjectMessage(message: OutgoingObjectMessage, limits: Limits, keepAlive: KeepAlive): Promise<void> {
    const numbers = this.#appendObjectMessage(message);
    if (numbers instanceof Error) return Promise.reject(numbers);
    const { bytes, failed } = message;
    const [number, ...followers] = numbers;
    const sent = this.#wait(bytes, 0, bytes.length, 'send', limits, keepAlive, number, followers);
    sent.catch((error: unknown) => {
      if ((error as { begun?: boolean }).begun !== true) failed();
    });
    if (!this.#delivery.blocked) this.#delivery.flush();
    return sent;
  }

  sendObjectMessageSync(message: OutgoingObjectMessage, deadline: number): void {
    this.#delivery.drainSync('sendSync', deadline);
    const numbers = this.#appendObjectMessage(message);
    if (numbers instanceof Error) throw numbers;
    const { bytes, failed } = message;
    const [number, ...followers] = numbers;
    try {
      this.#finishSync(bytes, 0, bytes.length, 'sendSync', deadline, number, followers);
    } catch (error) {
      if ((error as { begun?: boolean }).begun !== true) failed();
      throw error;
    }
  }

  /** The error of messages that were accepted and not written, which is told once. */
  takeLost(): Error | undefined {
    return this.#acceptance?.takeLost();
  }

  /** See `Delivery`. */
  flush(): void {
    this.#delivery.flush();
  }

  whenDrained(): Promise<void> {
    return this.#delivery.whenDrained();
  }

  discard(): void {
    this.#delivery.discard();
  }

  fail(error: Error): void {
    this.#delivery.fail(error);
  }

  sendSync(data: Uint8Array, offset: number, size: number, operation: string, deadline: number): void {
    this.#delivery.drainSync(operation, deadline);
    this.#delivery.throwRefusal();
    this.#buffer.prepare(size);
    const status = native.send(this.id, data, offset, size);
    if (status < 0) throw sendError(status, operation);
    if (status > 0) this.#finishSync(data, offset, size, operation, deadline, status);
  }

  sendHandleSync(fd: number, deadline: number): void {
    this.#delivery.drainSync('sendHandleSync', deadline);
    this.#delivery.throwRefusal();
    const number = native.appendDescriptor(this.id, fd);
    if (number < 0) throw systemError(number, 'sendmsg');
    this.#finishSync(undefined, 0, 0, 'sendHandleSync', deadline, number);
  }

  /** Resolves when everything that was sent before is written. */
  whenWritten(limits: Limits, keepAlive: KeepAlive): Promise<void> {
    this.#delivery.flush();
    const refused = this.#delivery.refusal();
    if (refused !== undefined) return Promise.reject(refused);
    if (this.#delivery.line.isEmpty) return resolved;
    const call = new PendingSend(keepAlive);
    const entry = entryOf(call, 0);
    this.#delivery.line.push(entry);
    call.onEnd = () => {
      this.#delivery.line.remove(entry);
    };
    if (isLimited(limits)) call.limit(limits, () => new TimeoutError('flush'));
    writeNowIfExiting();
    return call.promise;
  }

  /** The same, blocking. */
  writeAllSync(deadline: number): void {
    flushUnwritten();
    this.#delivery.throwRefusal();
    if (this.#delivery.line.isEmpty) return;
    const call = new BlockingSend();
    const entry = entryOf(call, 0);
    this.#delivery.line.push(entry);
    try {
      while (!call.settled) this.#delivery.writeFirstSync('flushSync', deadline);
    } finally {
      this.#delivery.line.remove(entry);
    }
    if (call.error !== undefined) throw call.error;
  }

  #wait(
    borrowed: Uint8Array | undefined,
    offset: number,
    size: number,
    operation: string,
    limits: Limits,
    keepAlive: KeepAlive,
    number: number,
    followers = none,
  ): Promise<void> {
    const call = new PendingSend(keepAlive);
    const entry = this.#delivery.enqueue(borrowed, offset, size, call, number, followers);
    if (isLimited(limits)) this.#limit(call, entry, operation, limits);
    writeNowIfExiting();
    return call.promise;
  }

  #limit(call: PendingSend, entry: QueuedEntry, operation: string, limits: Limits): void {
    const timeoutError = (): Error => new TimeoutError(operation);
    call.limit(limits, timeoutError, (error) => {
      const status = this.#delivery.withdraw(entry);
      const begun = status !== WITHDRAWN;
      call.reject(error instanceof TimeoutError ? new TimeoutError(operation, begun) : Object.assign(error, { begun }));
      if (status < 0) this.#delivery.breakOff();
    });
  }

  /** Puts an object message in line natively, whole or not at all. Returns the numbers of the message and of its descriptors. */
  #appendObjectMessage(message: OutgoingObjectMessage): [number, ...number[]] | Error {
    const appended = this.#delivery.refusal() ?? this.#tryAppendObjectMessage(message);
    if (appended instanceof Error) message.failed();
    return appended;
  }

  #tryAppendObjectMessage({ bytes, fds }: OutgoingObjectMessage): [number, ...number[]] | Error {
    const first = native.append(this.id, bytes, 0, bytes.length, COPIED_BYTES);
    if (first < 0) return sendError(first, 'send');
    const numbers: [number, ...number[]] = [first];
    for (const fd of fds) {
      const number = native.appendDescriptor(this.id, fd);
      if (number >= 0) {
        numbers.push(number);
        continue;
      }
      // Nothing was written since, so all of it can be taken back.
      for (const appended of numbers) native.withdraw(this.id, appended, bytes, 0, bytes.length);
      return systemError(number, 'sendmsg');
    }
    return numbers;
  }

  #finishSync(
    borrowed: Uint8Array | undefined,
    offset: number,
    size: number,
    operation: string,
    deadline: number,
    number: number,
    followers = none,
  ): void {
    const call = new BlockingSend();
    const entry = this.#delivery.enqueue(borrowed, offset, size, call, number, followers);
    try {
      while (!call.settled) this.#delivery.writeFirstSync(operation, deadline);
    } catch (error) {
      const status = this.#delivery.withdraw(entry);
      if (status < 0) this.#delivery.breakOff();
      const begun = status !== WITHDRAWN;
      if (begun && !this.#delivery.blocked) this.#delivery.setBlocked();
      if (error instanceof TimeoutError) throw new TimeoutError(operation, begun);
      if (error instanceof InterruptedError) throw new InterruptedError(operation, begun);
      throw error;
    }
    if (call.error !== undefined) throw call.error;
  }
}
