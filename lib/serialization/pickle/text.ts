// SPDX-License-Identifier: MIT
//
// Strings in the form of pickles: UTF-8 in which a lone surrogate is written like any other character, which Python
// calls "surrogatepass". All other deviations from UTF-8 are refused.
import { UnpicklingError } from '../../core/errors.js';

const REPLACEMENT = '\ufffd';

/** Writes a string with lone surrogates. There must be room for three bytes per unit. Returns the end. */
export function writeIllFormed(bytes: Uint8Array, start: number, text: string): number {
  let at = start;
  for (const character of text) {
    const point = character.codePointAt(0) as number;
    if (point < 0x80) {
      bytes[at++] = point;
    } else if (point < 0x800) {
      bytes[at++] = 0xc0 | (point >> 6);
      bytes[at++] = 0x80 | (point & 0x3f);
    } else if (point < 0x10000) {
      bytes[at++] = 0xe0 | (point >> 12);
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[at++] = 0x80 | (point & 0x3f);
    } else {
      bytes[at++] = 0xf0 | (point >> 18);
      bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[at++] = 0x80 | (point & 0x3f);
    }
  }
  return at;
}

/** Reads a string of any length. */
export function readText(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  // Node decodes invalid bytes to the replacement character, which may also be a part of the string.
  return text.includes(REPLACEMENT) ? readCarefully(bytes, start, end) : text;
}

function refuse(at: number): never {
  throw new UnpicklingError(`A str is not UTF-8 (at byte ${at} of the pickle)`);
}

function readCarefully(bytes: Buffer, start: number, end: number): string {
  const parts: string[] = [];
  /** The first byte that is not in `parts` yet. */
  let from = start;
  let at = start;
  while (at < end) {
    const lead = bytes[at] as number;
    if (lead < 0x80) {
      at++;
      continue;
    }
    const length = lead < 0xc2 || lead > 0xf4 ? refuse(at) : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (at + length > end) refuse(at);
    let point = lead & (0xff >> (length + 1));
    for (let i = 1; i < length; i++) {
      const byte = bytes[at + i] as number;
      if ((byte & 0xc0) !== 0x80) refuse(at);
      point = (point << 6) | (byte & 0x3f);
    }
    if ((length === 3 && point < 0x800) || (length === 4 && (point < 0x10000 || point > 0x10ffff))) refuse(at);
    if (point >= 0xd800 && point < 0xe000) {
      // Only surrogates are decoded here; Node decodes the rest.
      parts.push(bytes.toString('utf8', from, at), String.fromCharCode(point));
      from = at + length;
    }
    at += length;
  }
  parts.push(bytes.toString('utf8', from, end));
  return parts.join('');
}

/** Strings up to this length are looked up among those that were read before. */
export const SHORT_TEXT = 24;

const CACHE_SIZE = 512;
/** Strings that were read, by a hash of their bytes: strings such as keys occur again and again. */
const cache = new Array<string>(CACHE_SIZE).fill('');

/** Reads a string of at most SHORT_TEXT bytes. */
export function readShortText(bytes: Buffer, start: number, length: number): string {
  if (length === 0) return '';
  const first = bytes[start] as number;
  const last = bytes[start + length - 1] as number;
  const middle = bytes[start + (length >> 1)] as number;
  const slot = (first * 7 + middle * 31 + last * 127 + length * 61) % CACHE_SIZE;
  const found = cache[slot] as string;
  if (found.length === length && isAt(found, bytes, start)) return found;
  const text = readText(bytes, start, start + length);
  // Only ASCII strings can be compared byte by byte.
  if (text.length === length) cache[slot] = text;
  return text;
}

function isAt(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== bytes[start + i]) return false;
  }
  return true;
}
