// SPDX-License-Identifier: MIT
//
// Every opcode by itself, in pickles that are assembled by hand.
import { deepStrictEqual } from 'node:assert';

import { expect } from 'chai';
import { pickle, UnpicklingError } from 'node-multiprocessing';

import { assemble, global, little, OPCODES } from '../helpers/index.js';

const { loads } = pickle;

/** The value of a pickle of these opcodes. */
const cases: [string, Buffer, unknown][] = [
  ['NONE', assemble('NONE'), null],
  ['NEWTRUE', assemble('NEWTRUE'), true],
  ['NEWFALSE', assemble('NEWFALSE'), false],
  ['PROTO', assemble('PROTO', 5, 'NONE'), null],
  ['FRAME', assemble('PROTO', 4, 'FRAME', little(2, 8), 'NONE'), null],
  ['INT', assemble('INT', "'-12\n"), -12],
  ['INT, long', assemble('INT', "'123456789012345678901234567890\n"), 123456789012345678901234567890n],
  ['INT, true', assemble('INT', "'01\n"), true],
  ['INT, false', assemble('INT', "'00\n"), false],
  ['LONG', assemble('LONG', "'-5L\n"), -5],
  ['LONG without L', assemble('LONG', "'9007199254740993\n"), 9007199254740993n],
  ['BININT', assemble('BININT', little(-2, 4)), -2],
  ['BININT1', assemble('BININT1', 255), 255],
  ['BININT2', assemble('BININT2', 0x01, 0xff), 0xff01],
  ['LONG1, none', assemble('LONG1', 0), 0],
  ['LONG1, one byte', assemble('LONG1', 1, 0xff), -1],
  ['LONG1, 6 bytes', assemble('LONG1', 6, little(-(2n ** 40n), 6)), -(2 ** 40)],
  ['LONG1, 8 bytes, exact', assemble('LONG1', 8, little(2 ** 53 - 1, 8)), 2 ** 53 - 1],
  ['LONG1, 8 bytes, too large for a number', assemble('LONG1', 8, little(-(2n ** 53n), 8)), -(2n ** 53n)],
  ['LONG4', assemble('LONG4', little(9, 4), little(1, 8), 0x80), BigInt.asIntN(72, (0x80n << 64n) + 1n)],
  ['FLOAT', assemble('FLOAT', "'-1.5e3\n"), -1500],
  ['FLOAT, inf', assemble('FLOAT', "'-inf\n"), -Infinity],
  ['FLOAT, nan', assemble('FLOAT', "'nan\n"), NaN],
  ['BINFLOAT', assemble('BINFLOAT', Buffer.from('c000000000000000', 'hex')), -2],
  ['STRING', assemble('STRING', `'"it's \\x41\\\\\\n\\101"\n`), "it's A\\\nA"],
  ['BINSTRING', assemble('BINSTRING', little(2, 4), "'ab"), 'ab'],
  ['SHORT_BINSTRING', assemble('SHORT_BINSTRING', 2, "'ab"), 'ab'],
  ['UNICODE', assemble('UNICODE', "'gr\xfcn \\u20ac \\U0001f600 \\\\u\n"), 'grün € 😀 \\\\u'],
  ['BINUNICODE', assemble('BINUNICODE', little(3, 4), Buffer.from('€')), '€'],
  ['SHORT_BINUNICODE', assemble('SHORT_BINUNICODE', 4, Buffer.from('😀')), '😀'],
  ['SHORT_BINUNICODE, lone surrogate', assemble('SHORT_BINUNICODE', 4, "'a\xed\xa0\x80"), 'a\ud800'],
  ['BINUNICODE8', assemble('BINUNICODE8', little(1, 8), "'a"), 'a'],
  ['BINBYTES', assemble('BINBYTES', little(2, 4), 1, 2), Buffer.of(1, 2)],
  ['SHORT_BINBYTES', assemble('SHORT_BINBYTES', 2, 1, 2), Buffer.of(1, 2)],
  ['BINBYTES8', assemble('BINBYTES8', little(1, 8), 9), Buffer.of(9)],
  ['BYTEARRAY8', assemble('BYTEARRAY8', little(1, 8), 9), Buffer.of(9)],
  ['EMPTY_LIST', assemble('EMPTY_LIST'), []],
  ['APPEND', assemble('EMPTY_LIST', 'NONE', 'APPEND'), [null]],
  ['APPENDS', assemble('EMPTY_LIST', 'MARK', 'NONE', 'NEWTRUE', 'APPENDS'), [null, true]],
  ['LIST', assemble('MARK', 'NONE', 'NEWTRUE', 'LIST'), [null, true]],
  ['EMPTY_TUPLE', assemble('EMPTY_TUPLE'), []],
  ['TUPLE', assemble('MARK', 'NONE', 'NONE', 'NONE', 'NONE', 'TUPLE'), [null, null, null, null]],
  ['TUPLE1', assemble('NONE', 'TUPLE1'), [null]],
  ['TUPLE2', assemble('NONE', 'NEWTRUE', 'TUPLE2'), [null, true]],
  ['TUPLE3', assemble('NONE', 'NEWTRUE', 'NEWFALSE', 'TUPLE3'), [null, true, false]],
  ['EMPTY_DICT', assemble('EMPTY_DICT'), {}],
  ['SETITEM', assemble('EMPTY_DICT', 'SHORT_BINUNICODE', 1, "'a", 'NONE', 'SETITEM'), { a: null }],
  ['SETITEM, no str', assemble('EMPTY_DICT', 'BININT1', 1, 'NONE', 'SETITEM'), new Map([[1, null]])],
  ['SETITEMS', assemble('EMPTY_DICT', 'MARK', 'UNICODE', "'a\n", 'NONE', 'SETITEMS'), { a: null }],
  ['DICT', assemble('MARK', 'UNICODE', "'a\n", 'NONE', 'DICT'), { a: null }],
  ['DICT, no str', assemble('MARK', 'NONE', 'NEWTRUE', 'DICT'), new Map([[null, true]])],
  ['EMPTY_SET', assemble('EMPTY_SET'), new Set()],
  ['ADDITEMS', assemble('EMPTY_SET', 'MARK', 'NONE', 'NEWTRUE', 'ADDITEMS'), new Set([null, true])],
  ['FROZENSET', assemble('MARK', 'NONE', 'NEWTRUE', 'FROZENSET'), new Set([null, true])],
  ['POP', assemble('NONE', 'NEWTRUE', 'POP'), null],
  ['POP of a MARK', assemble('NONE', 'MARK', 'POP'), null],
  ['POP_MARK', assemble('NONE', 'MARK', 'NEWTRUE', 'NEWTRUE', 'POP_MARK'), null],
  ['DUP', assemble('NONE', 'DUP', 'TUPLE2'), [null, null]],
  ['PUT and GET', assemble('NONE', 'PUT', "'7\n", 'GET', "'7\n", 'TUPLE2'), [null, null]],
  ['BINPUT and BINGET', assemble('NONE', 'BINPUT', 3, 'BINGET', 3, 'TUPLE2'), [null, null]],
  [
    'LONG_BINPUT and LONG_BINGET',
    assemble('NONE', 'LONG_BINPUT', little(4e9, 4), 'LONG_BINGET', little(4e9, 4), 'TUPLE2'),
    [null, null],
  ],
  [
    'MEMOIZE',
    assemble('NONE', 'MEMOIZE', 'NEWTRUE', 'MEMOIZE', 'BINGET', 1, 'BINGET', 0, 'TUPLE2', 'TUPLE3'),
    [null, true, [true, null]],
  ],
  [
    'GLOBAL and REDUCE',
    assemble(global('builtins', 'complex'), 'NONE', 'POP', 'BINFLOAT', Buffer.alloc(8), 'TUPLE1', 'REDUCE'),
    new pickle.Complex(0, 0),
  ],
  [
    'STACK_GLOBAL',
    assemble('UNICODE', "'decimal\n", 'UNICODE', "'Decimal\n", 'STACK_GLOBAL', 'UNICODE', "'1\n", 'TUPLE1', 'REDUCE'),
    new pickle.Decimal('1'),
  ],
  [
    'NEWOBJ and BUILD',
    assemble(
      global('uuid', 'UUID'),
      'EMPTY_TUPLE',
      'NEWOBJ',
      'EMPTY_DICT',
      'UNICODE',
      "'int\n",
      'BININT1',
      5,
      'SETITEM',
      'BUILD',
    ),
    new pickle.UUID('00000000-0000-0000-0000-000000000005'),
  ],
  ['NEWOBJ_EX', assemble(global('collections', 'OrderedDict'), 'EMPTY_TUPLE', 'EMPTY_DICT', 'NEWOBJ_EX'), new Map()],
  ['INST', assemble('MARK', 'UNICODE', "'1\n", 'INST', "'decimal\nDecimal\n"), new pickle.Decimal('1')],
  ['OBJ', assemble('MARK', global('decimal', 'Decimal'), 'UNICODE', "'1\n", 'OBJ'), new pickle.Decimal('1')],
  ['STOP', Buffer.from('N.what follows is left alone'), null],
];

/** Opcodes of which nothing can be made here. */
const refused: [string, Buffer][] = [
  ['PERSID', assemble('PERSID', "'1\n")],
  ['BINPERSID', assemble('NONE', 'BINPERSID')],
  ['EXT1', assemble('EXT1', 1)],
  ['EXT2', assemble('EXT2', 1, 1)],
  ['EXT4', assemble('EXT4', 1, 1, 1, 1)],
  ['NEXT_BUFFER', assemble('NEXT_BUFFER')],
  ['READONLY_BUFFER', assemble('NONE', 'READONLY_BUFFER')],
  ['no opcode', Buffer.of(0)],
  ['a protocol to come', assemble('PROTO', 6, 'NONE')],
];

const wrong: [string, Buffer][] = [
  ['no bytes', Buffer.alloc(0)],
  ['no STOP', Buffer.from('N')],
  ['STOP with nothing there', assemble()],
  ['a value below a mark', assemble('NONE', 'MARK')],
  ['POP with nothing there', assemble('POP')],
  ['DUP with nothing there', assemble('DUP')],
  ['DUP of a mark', assemble('NONE', 'MARK', 'DUP')],
  ['TUPLE without a mark', assemble('NONE', 'TUPLE')],
  ['TUPLE2 across a mark', assemble('NONE', 'MARK', 'NONE', 'TUPLE2')],
  ['MEMOIZE with nothing there', assemble('MEMOIZE')],
  ['BINGET of nothing', assemble('NONE', 'MEMOIZE', 'BINGET', 1)],
  ['LONG_BINGET of nothing', assemble('LONG_BINGET', little(2 ** 32 - 1, 4))],
  ['GET of no number', assemble('GET', "'x\n")],
  ['PUT of a negative number', assemble('NONE', 'PUT', "'-1\n")],
  ['PUT of a huge number', assemble('NONE', 'PUT', "'99999999999999999999\n")],
  ['APPEND to nothing', assemble('NONE', 'APPEND')],
  ['APPEND to a dict', assemble('EMPTY_DICT', 'NONE', 'APPEND')],
  ['APPENDS to what is below another mark', assemble('EMPTY_LIST', 'MARK', 'MARK', 'NONE', 'APPENDS')],
  ['SETITEM of a list', assemble('EMPTY_LIST', 'NONE', 'NONE', 'SETITEM')],
  ['SETITEMS of a key alone', assemble('EMPTY_DICT', 'MARK', 'NONE', 'SETITEMS')],
  ['DICT of a key alone', assemble('MARK', 'NONE', 'DICT')],
  ['ADDITEMS to a list', assemble('EMPTY_LIST', 'MARK', 'NONE', 'ADDITEMS')],
  ['an int that is none', assemble('INT', "'1x\n")],
  ['an int in hexadecimal', assemble('INT', "'0x10\n")],
  ['a long that is none', assemble('LONG', "'L\n")],
  ['a float that is none', assemble('FLOAT', "'1.5.\n")],
  ['a line without an end', Buffer.from('I5')],
  ['a quote without its other half', assemble('STRING', `'"ab\n`)],
  ['a bad escape', assemble('STRING', `'"\\x1"\n`)],
  ['a bad escape of a character', assemble('UNICODE', "'\\u12\n")],
  ['a character beyond Unicode', assemble('UNICODE', "'\\U00110000\n")],
  ['a str of Python 2 that is not ASCII', assemble('SHORT_BINSTRING', 1, 0xff)],
  ['a negative length', assemble('BINSTRING', little(-1, 4))],
  ['a negative length of a LONG4', assemble('LONG4', little(-1, 4))],
  ['a frame beyond the end', assemble('FRAME', little(99, 8), 'NONE')],
  ...[
    '\x80',
    '\xc3',
    '\xc0\x80',
    '\xe2\x82',
    '\xe0\x80\x80',
    '\xf0\x80\x80\x80',
    '\xf4\x90\x80\x80',
    '\xff',
    'a\xc3(',
  ].map((text): [string, Buffer] => [
    `bytes that are no UTF-8: ${Buffer.from(text, 'latin1').toString('hex')}`,
    assemble('SHORT_BINUNICODE', text.length, `'${text}`),
  ]),
  ['STACK_GLOBAL with a number', assemble('NONE', 'UNICODE', "'x\n", 'STACK_GLOBAL')],
  ['REDUCE of no class', assemble('NONE', 'EMPTY_TUPLE', 'REDUCE')],
  ['REDUCE without a tuple', assemble(global('decimal', 'Decimal'), 'NONE', 'REDUCE')],
  ['NEWOBJ of no class', assemble('EMPTY_DICT', 'EMPTY_TUPLE', 'NEWOBJ')],
  ['BUILD of a list', assemble('EMPTY_LIST', 'EMPTY_DICT', 'BUILD')],
  ['BUILD with nothing there', assemble('EMPTY_DICT', 'BUILD')],
  ['OBJ of nothing', assemble('MARK', 'OBJ')],
  [
    'NEWOBJ_EX with keywords that are not wanted',
    assemble(
      global('decimal', 'Decimal'),
      'UNICODE',
      "'1\n",
      'TUPLE1',
      'EMPTY_DICT',
      'UNICODE',
      "'a\n",
      'NONE',
      'SETITEM',
      'NEWOBJ_EX',
    ),
  ],
];

function refuses(name: string, bytes: Buffer): void {
  expect(() => loads(bytes), name)
    .to.throw(UnpicklingError)
    .with.property('code', 'ERR_MP_UNPICKLING');
}

describe('The opcodes of pickles', () => {
  it('do what they do in Python', () => {
    for (const [name, bytes, value] of cases) deepStrictEqual(loads(bytes), value, name);
  });

  it('are an UnpicklingError if they refer to something elsewhere', () => {
    for (const [name, bytes] of refused) refuses(name, bytes);
  });

  it('are an UnpicklingError in impossible sequences', () => {
    for (const [name, bytes] of wrong) refuses(name, bytes);
  });

  it('are all tested here', () => {
    const mentioned = [...cases, ...refused]
      .map(([title]) => title)
      .join(' ')
      .split(/\W+/);
    expect(mentioned).to.include.members(Object.keys(OPCODES));
    expect(new Set(Object.values(OPCODES)).size).to.equal(Object.keys(OPCODES).length);
  });

  it('are an UnpicklingError wherever they are cut off', () => {
    for (const [name, bytes] of cases) {
      for (let length = 0; length < bytes.length - (name === 'STOP' ? 27 : 0); length++) {
        // The rest may be a pickle again if the last opcodes are cut off.
        if (bytes.subarray(0, length).includes(OPCODES.STOP)) continue;
        refuses(`${name}, ${length} bytes`, bytes.subarray(0, length));
      }
    }
  });
});
