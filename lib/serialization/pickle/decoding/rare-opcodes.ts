// SPDX-License-Identifier: MIT
//
// The opcodes that are too rare for the decoder's loop, among them those of old protocols.
import { unescapeBytes, unescapeText } from '../escapes.js';
import { parseInteger, readInteger } from '../integers.js';
import type { PickleMachine } from './machine.js';
import * as op from '../opcodes.js';

/** The longest text that is parsed as a float. */
const MAX_FLOAT = 1000;

function integer(machine: PickleMachine, text: string): number | bigint {
  const value = parseInteger(text);
  if (value === undefined) throw machine.error('The pickle has an int that is not a number');
  return value;
}

function index(machine: PickleMachine): number {
  const value = integer(machine, machine.line());
  if (typeof value !== 'number' || value < 0) throw machine.error('The pickle has an invalid memo number');
  return value;
}

function intLine(machine: PickleMachine): void {
  const line = machine.line();
  // Old protocols write booleans as ints.
  if (line === '01' || line === '00') machine.push(line === '01');
  else machine.push(integer(machine, line));
}

function floatLine(machine: PickleMachine): void {
  const line = machine.line();
  const special = /^([+-]?)(?:(inf|infinity)|nan)$/i.exec(line);
  if (special !== null) {
    machine.push(special[2] === undefined ? NaN : special[1] === '-' ? -Infinity : Infinity);
  } else if (line.length <= MAX_FLOAT && /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(line)) {
    machine.pushFloat(Number(line));
  } else {
    throw machine.error('The pickle has a float that is not a number');
  }
}

/** A string of Python 2, which is bytes. Python 3 accepts only ASCII as text, too, unless an encoding is given. */
function oldString(machine: PickleMachine, bytes: Buffer): void {
  if (bytes.some((byte) => byte > 0x7f)) throw machine.error('The pickle has a str of Python 2 that is not ASCII');
  machine.push(bytes.toString('latin1'));
}

function quotedString(machine: PickleMachine): void {
  const [, , text] = /^(['"])(.*)\1$/s.exec(machine.line()) ?? [];
  const bytes = text === undefined ? undefined : unescapeBytes(text);
  if (bytes === undefined) throw machine.error('The pickle has a str of Python 2 without its quotes');
  oldString(machine, bytes);
}

function binString(machine: PickleMachine, length: number): void {
  oldString(machine, machine.binary(length));
}

function unicodeLine(machine: PickleMachine): void {
  const text = unescapeText(machine.line());
  if (text === undefined) throw machine.error('The pickle has a str with an invalid escape');
  machine.push(text);
}

function long(machine: PickleMachine, length: number): void {
  machine.push(readInteger(machine.bytes, machine.skip(length), length));
}

function dict(machine: PickleMachine): void {
  const from = machine.unmark();
  const items = machine.popFrom(from);
  machine.pushDict();
  for (const item of items) machine.push(item);
  machine.setItems(from + 1);
}

function frozenset(machine: PickleMachine): void {
  const from = machine.unmark();
  const items = machine.popFrom(from);
  const set = machine.original(new Set());
  machine.push(set);
  for (const item of items) machine.push(item);
  machine.addItems(from + 1);
}

function pop(machine: PickleMachine): void {
  if (machine.atMark) machine.unmark();
  else machine.discard();
}

// An instance of a class of Python 2. Without arguments Python 3 does not call its `__init__`.
function inst(machine: PickleMachine): void {
  const args = machine.popFrom(machine.unmark());
  machine.global(machine.line('utf8'), machine.line('utf8'));
  machine.make(machine.pop(), args, args.length === 0);
}

function obj(machine: PickleMachine): void {
  const [type, ...args] = machine.popFrom(machine.unmark());
  machine.make(type, args, args.length === 0);
}

function newObject(machine: PickleMachine): void {
  machine.need(2);
  const args = machine.pop();
  machine.make(machine.pop(), args, true);
}

function newObjectWithKeywords(machine: PickleMachine): void {
  machine.need(3);
  const keywords = machine.pop();
  const args = machine.pop();
  machine.make(machine.pop(), args, true, keywords);
}

function stackGlobal(machine: PickleMachine): void {
  machine.need(2);
  const name = machine.pop();
  machine.global(machine.pop(), name);
}

function protocol(machine: PickleMachine): void {
  const number = machine.u8();
  if (number > op.HIGHEST_PROTOCOL) throw machine.error(`Pickle protocol ${number} is not supported`);
  machine.protocol = number;
}

function frame(machine: PickleMachine): void {
  // A frame tells a reader how much to read next. Here the whole pickle is in memory.
  if (machine.u64() > machine.bytes.length - machine.at) throw machine.error('The pickle is truncated');
}

function refuse(what: string): (machine: PickleMachine) => never {
  return (machine) => {
    throw machine.error(`The pickle has ${what}, which is not supported`);
  };
}

const operations: Readonly<Record<number, (machine: PickleMachine) => void>> = {
  [op.EMPTY_TUPLE]: (machine) => machine.push(machine.original([])),
  [op.POP]: pop,
  [op.POP_MARK]: (machine) => void machine.popFrom(machine.unmark()),
  [op.DUP]: (machine) => machine.duplicate(),
  [op.BINBYTES]: (machine) => machine.push(machine.binary(machine.u32())),
  [op.BINBYTES8]: (machine) => machine.push(machine.binary(machine.u64())),
  [op.BYTEARRAY8]: (machine) => machine.push(machine.original(machine.binary(machine.u64()))),
  [op.FLOAT]: floatLine,
  [op.INT]: intLine,
  [op.LONG]: (machine) => machine.push(integer(machine, machine.line().replace(/L$/, ''))),
  [op.LONG1]: (machine) => long(machine, machine.u8()),
  [op.LONG4]: (machine) => long(machine, machine.length32()),
  [op.STRING]: quotedString,
  [op.BINSTRING]: (machine) => binString(machine, machine.length32()),
  [op.SHORT_BINSTRING]: (machine) => binString(machine, machine.u8()),
  [op.UNICODE]: unicodeLine,
  [op.BINUNICODE8]: (machine) => machine.push(machine.text(machine.u64())),
  [op.LIST]: (machine) => machine.push(machine.popFrom(machine.unmark())),
  [op.DICT]: dict,
  [op.EMPTY_SET]: (machine) => machine.push(new Set()),
  [op.ADDITEMS]: (machine) => machine.addItems(machine.unmark()),
  [op.FROZENSET]: frozenset,
  [op.GET]: (machine) => machine.get(index(machine)),
  [op.PUT]: (machine) => machine.put(index(machine)),
  [op.LONG_BINPUT]: (machine) => machine.put(machine.u32()),
  [op.GLOBAL]: (machine) => machine.global(machine.line('utf8'), machine.line('utf8')),
  [op.STACK_GLOBAL]: stackGlobal,
  [op.INST]: inst,
  [op.OBJ]: obj,
  [op.NEWOBJ]: newObject,
  [op.NEWOBJ_EX]: newObjectWithKeywords,
  [op.PROTO]: protocol,
  [op.FRAME]: frame,
  [op.PERSID]: refuse('a persistent id'),
  [op.BINPERSID]: refuse('a persistent id'),
  [op.EXT1]: refuse('an extension code'),
  [op.EXT2]: refuse('an extension code'),
  [op.EXT4]: refuse('an extension code'),
  [op.NEXT_BUFFER]: refuse('an out-of-band buffer'),
  [op.READONLY_BUFFER]: refuse('an out-of-band buffer'),
};

/** By opcode. */
export const rareOpcodes: readonly (((machine: PickleMachine) => void) | undefined)[] = Array.from(
  { length: 256 },
  (_, opcode) => operations[opcode],
);
