// SPDX-License-Identifier: MIT
//
// What members write down, in files that survive any kill: a ledger of the items that were put and got, a board with the
// progress of each member, and a list of errors. chaos_member.py and chaos_member.c write the same.
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Where a member works, and as what. It is plain data, which goes to members of every kind. */
export interface Place {
  /** The folder of the files. */
  readonly folder: string;
  readonly slot: number;
  /** Different for each member there ever was. */
  readonly member: number;
  /** The lengths of the items, in turn. */
  readonly sizes: readonly number[];
}

const RECORD_BYTES = 16;

export const PUT = 1;
export const GOT = 2;
/** As GOT, of an item whose bytes are not those that were put. */
export const TORN = 3;
/** Of a semaphore. */
export const RELEASED = 4;
export const ACQUIRED = 5;

/** Items begin with their producer, their number and their length. */
export const SHORTEST_ITEM = 12;

export interface Entry {
  readonly kind: number;
  readonly member: number;
  readonly producer: number;
  readonly number: number;
}

export function* entries(folder: string): Generator<Entry> {
  const bytes = readFileSync(join(folder, 'ledger'));
  for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    yield {
      kind: bytes.readUInt32LE(at),
      member: bytes.readUInt32LE(at + 4),
      producer: bytes.readUInt32LE(at + 8),
      number: bytes.readUInt32LE(at + 12),
    };
  }
}

/** The lines of errors: the member, the code, the message. */
export function errorsIn(folder: string): string[] {
  return readFileSync(join(folder, 'errors'), 'utf8').split('\n').filter(Boolean);
}

/** What the board tells all members. A producer that rests puts an item from time to time. */
export const WORK = 0;
export const STOP = 1;
export const REST = 2;

/** How long a producer that rests waits before each item, in milliseconds. */
export const REST_MS = 5;

/** The record of a slot on the board: its member, and how many steps that has made. Slot -1 tells all what to do. */
function boardOffset(slot: number): number {
  return (slot + 1) * RECORD_BYTES;
}

/** What a member writes. Each record is one write to a file opened for appending: whole or not there. */
export class Ledger {
  readonly #place: Place;
  readonly #ledger: number;
  readonly #board: number;
  readonly #record = Buffer.alloc(RECORD_BYTES);
  readonly #line = Buffer.alloc(RECORD_BYTES);
  readonly #order = Buffer.alloc(1);
  #steps = 0;
  #shown = 0;

  constructor(place: Place) {
    this.#place = place;
    this.#ledger = openSync(join(place.folder, 'ledger'), 'a');
    this.#board = openSync(join(place.folder, 'board'), 'r+');
    this.step();
  }

  write(kind: number, producer: number, number: number): void {
    this.#record.writeUInt32LE(kind, 0);
    this.#record.writeUInt32LE(this.#place.member, 4);
    this.#record.writeUInt32LE(producer, 8);
    this.#record.writeUInt32LE(number, 12);
    writeSync(this.#ledger, this.#record);
  }

  /** Shows that the member has made progress. Returns whether it is to stop. */
  step(): boolean {
    this.#steps++;
    const now = performance.now();
    if (this.#steps > 2 && now - this.#shown < 1) return this.#order[0] === STOP;
    this.#shown = now;
    this.#line.writeUInt32LE(this.#place.member, 0);
    this.#line.writeUInt32LE(this.#steps >>> 0, 4);
    writeSync(this.#board, this.#line, 0, RECORD_BYTES, boardOffset(this.#place.slot));
    readSync(this.#board, this.#order, 0, 1, boardOffset(-1));
    return this.#order[0] === STOP;
  }

  /** Whether a producer is to rest. */
  get rests(): boolean {
    return this.#order[0] === REST;
  }

  error(error: unknown): void {
    const { code, message } = error as { code?: string; message?: string };
    const fd = openSync(join(this.#place.folder, 'errors'), 'a');
    writeSync(fd, `${this.#place.member} ${code ?? 'UNTYPED'} ${String(message).replaceAll('\n', ' ')}\n`);
    closeSync(fd);
  }

  close(): void {
    closeSync(this.#ledger);
    closeSync(this.#board);
  }
}

/** The board, for the process that watches. */
export class Board {
  readonly #fd: number;
  readonly #bytes: Buffer;

  constructor(folder: string, slots: number) {
    this.#fd = openSync(join(folder, 'board'), 'r+');
    this.#bytes = Buffer.alloc(boardOffset(slots));
  }

  /** Reads how far all members are. */
  look(): void {
    readSync(this.#fd, this.#bytes, 0, this.#bytes.length, 0);
  }

  /** How many steps this member of this slot has made. */
  steps(slot: number, member: number): number {
    const at = boardOffset(slot);
    return this.#bytes.readUInt32LE(at) === member ? this.#bytes.readUInt32LE(at + 4) : 0;
  }

  tell(order: typeof WORK | typeof STOP | typeof REST): void {
    writeSync(this.#fd, Buffer.of(order), 0, 1, boardOffset(-1));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

export function makeItem(producer: number, number: number, size: number): Buffer {
  const item = Buffer.alloc(Math.max(size, SHORTEST_ITEM), (producer * 31 + number * 7 + 1) & 0xff);
  item.writeUInt32LE(producer, 0);
  item.writeUInt32LE(number, 4);
  item.writeUInt32LE(item.length, 8);
  return item;
}

/** Whose item it is, and whether it is whole. */
export function readItem(item: Uint8Array): { producer: number; number: number; whole: boolean } {
  const bytes = Buffer.from(item.buffer, item.byteOffset, item.length);
  if (bytes.length < SHORTEST_ITEM) return { producer: 0, number: 0, whole: false };
  const producer = bytes.readUInt32LE(0);
  const number = bytes.readUInt32LE(4);
  return { producer, number, whole: bytes.equals(makeItem(producer, number, bytes.readUInt32LE(8))) };
}
