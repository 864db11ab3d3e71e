// SPDX-License-Identifier: MIT
//
// Objects in which there are no other objects.
// The global Buffer is a getter, which V8 calls at each use.
import { Buffer } from 'node:buffer';
import { types } from 'node:util';

import { arrayType, bytesOfView, getter } from '../../inner-state.js';
import { isDetached } from '../../../core/validate.js';
import * as tags from '../tags.js';
import type { Output } from './output.js';

const sourceOf = getter(RegExp.prototype, 'source');
const isResizable = getter(ArrayBuffer.prototype, 'resizable');
const maxByteLengthOf = getter(ArrayBuffer.prototype, 'maxByteLength');

/** The flags of regular expressions, each in the place of its bit in V8's number. The seventh is for experiments of V8. */
const flags = ['global', 'ignoreCase', 'multiline', 'sticky', 'unicode', 'dotAll', undefined, 'hasIndices'] as const;
const flagBits: [(object: object) => unknown, number][] = [];
for (const [bit, name] of [...flags, 'unicodeSets'].entries()) {
  if (name !== undefined) flagBits.push([getter(RegExp.prototype, name), 1 << bit]);
}

/** The longest content that has a place in the format. */
const MOST_BYTES = 0xffffffff;

function checkLength(length: number): void {
  if (length > MOST_BYTES) throw new RangeError(`${length} bytes are more than the format can hold`);
}

/** What a view shows of its memory. Throws for a view of memory that was detached or has shrunk. */
function bytesOf(view: ArrayBufferView): Uint8Array {
  const bytes = bytesOfView(view);
  if (isDetached(bytes)) throw new TypeError('its memory is detached');
  return bytes;
}

/** A typed array, a DataView or a Buffer, in the form that Node adds to V8's format. */
export function writeView(output: Output, view: ArrayBufferView): void {
  let type = tags.BUFFER;
  if ((view as { constructor?: unknown }).constructor !== Buffer) {
    type = types.isDataView(view) ? tags.DATA_VIEW : tags.ARRAY_TYPES.indexOf(arrayType(view) as string);
    if (type < 0) throw new TypeError('not all supported versions of Node have arrays of its type');
  }
  const bytes = bytesOf(view);
  checkLength(bytes.length);
  output.byte(tags.HOST_OBJECT);
  output.length(type);
  output.length(bytes.length);
  output.raw(bytes);
}

export function writeArrayBuffer(output: Output, buffer: ArrayBuffer): void {
  const bytes = bytesOf(new Uint8Array(buffer));
  checkLength(bytes.length);
  const resizable = isResizable(buffer) === true;
  output.byte(resizable ? tags.RESIZABLE_BUFFER : tags.ARRAY_BUFFER);
  output.length(bytes.length);
  if (resizable) {
    const most = maxByteLengthOf(buffer) as number;
    checkLength(most);
    output.length(most);
  }
  output.raw(bytes);
}

export function writeDate(output: Output, date: Date): void {
  output.byte(tags.DATE);
  output.double(Date.prototype.getTime.call(date));
}

export function writeRegExp(output: Output, expression: object): void {
  output.byte(tags.REGEXP);
  output.string(sourceOf(expression) as string);
  output.length(flagBits.reduce((bits, [isSet, bit]) => (isSet(expression) === true ? bits | bit : bits), 0));
}

/** A primitive value that is wrapped in an object. */
export function writeBoxed(output: Output, object: object): void {
  if (types.isNumberObject(object)) {
    output.byte(tags.BOXED_NUMBER);
    output.double(Number.prototype.valueOf.call(object));
  } else if (types.isStringObject(object)) {
    output.byte(tags.BOXED_STRING);
    output.string(String.prototype.valueOf.call(object));
  } else if (types.isBooleanObject(object)) {
    output.byte(Boolean.prototype.valueOf.call(object) ? tags.BOXED_TRUE : tags.BOXED_FALSE);
  } else if (types.isBigIntObject(object)) {
    output.byte(tags.BOXED_BIGINT);
    output.bigint(BigInt.prototype.valueOf.call(object));
  } else {
    throw new TypeError('it holds a symbol');
  }
}
