// SPDX-License-Identifier: MIT
//
// Strings in the form of protocol 0, each on a line of its own.

const SIMPLE: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** The bytes of a string literal of Python 2, without its quotes; undefined if it has an invalid escape. */
export function unescapeBytes(text: string): Buffer | undefined {
  let bad = false;
  const plain = text.replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|[^])?/g, (_, escape: string | undefined) => {
    const simple = escape === undefined ? undefined : SIMPLE[escape];
    if (simple !== undefined) return simple;
    if (escape === undefined || escape === 'x') bad = true;
    else if (escape.startsWith('x')) return String.fromCharCode(parseInt(escape.slice(1), 16));
    else if (/^[0-7]/.test(escape)) return String.fromCharCode(parseInt(escape, 8) & 0xff);
    return `\\${escape ?? ''}`;
  });
  return bad ? undefined : Buffer.from(plain, 'latin1');
}

/**
 * A string in which only characters beyond Latin-1 are escaped ("raw-unicode-escape"); undefined for an invalid escape.
 */
export function unescapeText(text: string): string | undefined {
  let bad = false;
  // Only an odd number of backslashes begins an escape.
  const plain = text.replace(
    /(\\\\)|\\u([^]{0,4})|\\U([^]{0,8})/g,
    (all, pair?: string, short?: string, long?: string) => {
      if (pair !== undefined) return all;
      const digits = short ?? long ?? '';
      const point = parseInt(digits, 16);
      if (/^[0-9a-fA-F]+$/.test(digits) && digits.length === (short === undefined ? 8 : 4) && point <= 0x10ffff) {
        return String.fromCodePoint(point);
      }
      bad = true;
      return all;
    },
  );
  return bad ? undefined : plain;
}
