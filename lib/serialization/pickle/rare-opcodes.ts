// SPDX-License-Identifier: MIT
//
// The opcodes that are not worth a place in the decoder's loop, those of old protocols among them.
import type { Decoder } from './decoder.js';
import { parseInteger, readInteger } from './integers.js';
import { unescapeBytes, unescapeText } from './escapes.js';
import * as op from './opcodes.js';

/** Up to this length a number in text is parsed. */
const MAX_FLOAT = 1000;

function integer(decoder: Decoder, text: string): number | bigint {
  const value = parseInteger(text);
  if (value === undefined) throw decoder.error('The pickle has an int that is no number');
  return value;
}

function index(decoder: Decoder): number {
  const value = integer(decoder, decoder.line());
  if (typeof value !== 'number' || value < 0) throw decoder.error('The pickle has a memo number that is none');
  return value;
}

function intLine(decoder: Decoder): void {
  const line = decoder.line();
  // Booleans were written as ints once.
  if (line === '01' || line === '00') decoder.push(line === '01');
  else decoder.push(integer(decoder, line));
}

function floatLine(decoder: Decoder): void {
  const line = decoder.line();
  const special = /^([+-]?)(?:(inf|infinity)|nan)$/i.exec(line);
  if (special !== null) {
    decoder.push(special[2] === undefined ? NaN : special[1] === '-' ? -Infinity : Infinity);
  } else if (line.length <= MAX_FLOAT && /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(line)) {
    decoder.push(Number(line));
  } else {
    throw decoder.error('The pickle has a float that is no number');
  }
}

/** The bytes that Python 2 called a string. Only ASCII is text in Python 3, too, unless it is told otherwise. */
function oldString(decoder: Decoder, bytes: Buffer): void {
  if (bytes.some((byte) => byte > 0x7f)) throw decoder.error('The pickle has a str of Python 2 that is not ASCII');
  decoder.push(bytes.toString('latin1'));
}

function quotedString(decoder: Decoder): void {
  const [, , text] = /^(['"])(.*)\1$/s.exec(decoder.line()) ?? [];
  const bytes = text === undefined ? undefined : unescapeBytes(text);
  if (bytes === undefined) throw decoder.error('The pickle has a str of Python 2 without its quotes');
  oldString(decoder, bytes);
}

function binString(decoder: Decoder, length: number): void {
  oldString(decoder, decoder.binary(length));
}

function unicodeLine(decoder: Decoder): void {
  const text = unescapeText(decoder.line());
  if (text === undefined) throw decoder.error('The pickle has a str with a bad escape');
  decoder.push(text);
}

function long(decoder: Decoder, length: number): void {
  decoder.push(readInteger(decoder.bytes, decoder.skip(length), length));
}

function dict(decoder: Decoder): void {
  const from = decoder.unmark();
  const items = decoder.take(from);
  decoder.pushDict();
  for (const item of items) decoder.push(item);
  decoder.setItems(from + 1);
}

function pop(decoder: Decoder): void {
  if (decoder.atMark) decoder.unmark();
  else decoder.pop();
}

function inst(decoder: Decoder): void {
  const args = decoder.take(decoder.unmark());
  decoder.global(decoder.line('utf8'), decoder.line('utf8'));
  decoder.make(decoder.pop(), args, false);
}

function obj(decoder: Decoder): void {
  const [type, ...args] = decoder.take(decoder.unmark());
  decoder.make(type, args, false);
}

function newObject(decoder: Decoder): void {
  decoder.need(2);
  const args = decoder.pop();
  decoder.make(decoder.pop(), args, true);
}

function newObjectWithKeywords(decoder: Decoder): void {
  decoder.need(3);
  const keywords = decoder.pop();
  const args = decoder.pop();
  decoder.make(decoder.pop(), args, true, keywords);
}

function stackGlobal(decoder: Decoder): void {
  decoder.need(2);
  const name = decoder.pop();
  decoder.global(decoder.pop(), name);
}

function protocol(decoder: Decoder): void {
  const number = decoder.u8();
  if (number > op.HIGHEST_PROTOCOL) throw decoder.error(`Pickle protocol ${number} is not known here`);
}

function frame(decoder: Decoder): void {
  // Frames tell a reader how much to read; here all is there.
  if (decoder.u64() > decoder.bytes.length - decoder.at) throw decoder.error('The pickle is truncated');
}

function refuse(what: string): (decoder: Decoder) => never {
  return (decoder) => {
    throw decoder.error(`The pickle has ${what}, which nothing here can resolve`);
  };
}

const operations: Readonly<Record<number, (decoder: Decoder) => void>> = {
  [op.EMPTY_TUPLE]: (decoder) => decoder.push([]),
  [op.POP]: pop,
  [op.POP_MARK]: (decoder) => void decoder.take(decoder.unmark()),
  [op.DUP]: (decoder) => decoder.duplicate(),
  [op.BINBYTES]: (decoder) => decoder.push(decoder.binary(decoder.u32())),
  [op.BINBYTES8]: (decoder) => decoder.push(decoder.binary(decoder.u64())),
  [op.BYTEARRAY8]: (decoder) => decoder.push(decoder.binary(decoder.u64())),
  [op.FLOAT]: floatLine,
  [op.INT]: intLine,
  [op.LONG]: (decoder) => decoder.push(integer(decoder, decoder.line().replace(/L$/, ''))),
  [op.LONG1]: (decoder) => long(decoder, decoder.u8()),
  [op.LONG4]: (decoder) => long(decoder, decoder.length32()),
  [op.STRING]: quotedString,
  [op.BINSTRING]: (decoder) => binString(decoder, decoder.length32()),
  [op.SHORT_BINSTRING]: (decoder) => binString(decoder, decoder.u8()),
  [op.UNICODE]: unicodeLine,
  [op.BINUNICODE8]: (decoder) => decoder.push(decoder.text(decoder.u64())),
  [op.LIST]: (decoder) => decoder.push(decoder.take(decoder.unmark())),
  [op.DICT]: dict,
  [op.EMPTY_SET]: (decoder) => decoder.push(new Set()),
  [op.ADDITEMS]: (decoder) => decoder.addItems(decoder.unmark()),
  [op.FROZENSET]: (decoder) => decoder.push(new Set(decoder.take(decoder.unmark()))),
  [op.GET]: (decoder) => decoder.get(index(decoder)),
  [op.PUT]: (decoder) => decoder.put(index(decoder)),
  [op.LONG_BINPUT]: (decoder) => decoder.put(decoder.u32()),
  [op.GLOBAL]: (decoder) => decoder.global(decoder.line('utf8'), decoder.line('utf8')),
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
export const rareOpcodes: readonly (((decoder: Decoder) => void) | undefined)[] = Array.from(
  { length: 256 },
  (_, opcode) => operations[opcode],
);
