// SPDX-License-Identifier: MIT
//
// Hostile pickles: damaged ones, random sequences of opcodes, and random bytes.
import * as opcodes from '#lib/serialization/pickle/opcodes.js';
import type { Random } from '../../helpers/random.js';

const OPCODES = Object.values(opcodes);

/** Lengths and numbers to announce, which a reader must not trust. */
const ANNOUNCED = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** Names with reducers, and some without. */
const GLOBALS = [
  ...['builtins set', 'builtins list', 'builtins getattr', 'builtins complex', 'builtins bytearray', 'builtins dict'],
  ...['collections OrderedDict', 'collections defaultdict', 'collections Counter', 'collections deque'],
  ...['copyreg _reconstructor', 'copyreg __newobj__', 'datetime datetime', 'datetime timezone', 'datetime timedelta'],
  ...['decimal Decimal', 'uuid UUID', 'array _array_reconstructor', 'array array', 'numpy dtype', 'numpy ndarray'],
  ...['numpy.core.multiarray _reconstruct', 'numpy.core.multiarray scalar', 'numpy._core.numeric _frombuffer'],
  ...['zoneinfo ZoneInfo._unpickle', '_codecs encode', 'builtins ValueError', 'os system', '__proto__ constructor'],
];

function number(random: Random, size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(random.below(3) === 0 ? random.pick(ANNOUNCED) : random.below(300));
  if (random.below(4) === 0) bytes.writeUInt32LE(random.pick(ANNOUNCED), 4);
  return bytes.subarray(0, size);
}

function text(random: Random): string {
  return random.pick([
    '',
    'a',
    '0',
    '-1',
    '1e5',
    'nan',
    'int',
    '<f8',
    '<',
    'latin1',
    '__proto__',
    'x'.repeat(random.below(99)),
  ]);
}

/** An opcode with an argument that mostly fits it. */
function instruction(random: Random): Buffer {
  const opcode = random.pick(OPCODES);
  const body = ((): Buffer => {
    switch (opcode) {
      case opcodes.BININT1:
      case opcodes.BINGET:
      case opcodes.BINPUT:
      case opcodes.EXT1:
        return Buffer.of(random.below(8));
      case opcodes.PROTO:
        return Buffer.of(random.below(7));
      case opcodes.BININT2:
        return number(random, 2);
      case opcodes.BININT:
      case opcodes.LONG_BINGET:
      case opcodes.LONG_BINPUT:
        return number(random, 4);
      case opcodes.FRAME:
        return number(random, 8);
      case opcodes.BINFLOAT:
        return random.bytes(8);
      case opcodes.SHORT_BINUNICODE:
      case opcodes.SHORT_BINBYTES:
      case opcodes.SHORT_BINSTRING:
      case opcodes.LONG1: {
        const content = random.below(3) === 0 ? random.bytes(random.below(12)) : Buffer.from(text(random));
        return Buffer.from([content.length, ...content]);
      }
      case opcodes.BINUNICODE:
      case opcodes.BINBYTES:
      case opcodes.BINSTRING:
      case opcodes.LONG4: {
        const content = Buffer.from(text(random));
        const length = random.below(4) === 0 ? number(random, 4) : Buffer.of(content.length, 0, 0, 0);
        return Buffer.concat([length, content]);
      }
      case opcodes.BINUNICODE8:
      case opcodes.BINBYTES8:
      case opcodes.BYTEARRAY8: {
        const content = Buffer.from(text(random));
        const length = random.below(4) === 0 ? number(random, 8) : Buffer.of(content.length, 0, 0, 0, 0, 0, 0, 0);
        return Buffer.concat([length, content]);
      }
      case opcodes.GLOBAL:
      case opcodes.INST:
        return Buffer.from(`${random.pick(GLOBALS).replace(' ', '\n')}\n`);
      case opcodes.INT:
      case opcodes.LONG:
      case opcodes.FLOAT:
      case opcodes.UNICODE:
      case opcodes.GET:
      case opcodes.PUT:
        return Buffer.from(`${random.below(2) === 0 ? random.below(9) : text(random)}\n`);
      case opcodes.STRING:
        return Buffer.from(`'${text(random)}'\n`);
      default:
        return Buffer.alloc(0);
    }
  })();
  return Buffer.concat([Buffer.of(opcode), body]);
}

/** Damages a pickle. The reader has done its work up to the damage by then. */
function damage(random: Random, pickle: Buffer, corpus: readonly Buffer[]): Buffer {
  const at = random.below(pickle.length + 1);
  const end = Math.min(pickle.length, at + 1 + random.below(8));
  const [before, piece, after] = [pickle.subarray(0, at), pickle.subarray(at, end), pickle.subarray(end)];
  switch (random.below(9)) {
    case 0: // A bit.
      return Buffer.concat([before, piece.map((byte, i) => (i === 0 ? byte ^ (1 << random.below(8)) : byte)), after]);
    case 1: // Other bytes.
      return Buffer.concat([before, random.bytes(piece.length), after]);
    case 2: // Another opcode.
      return Buffer.concat([before, Buffer.of(random.pick(OPCODES)), piece.subarray(1), after]);
    case 3: // One more instruction.
      return Buffer.concat([before, instruction(random), piece, after]);
    case 4: // Something lost.
      return Buffer.concat([before, after]);
    case 5: // Something twice.
      return Buffer.concat([before, piece, piece, piece, after]);
    case 6: // Another length.
      return Buffer.concat([before, number(random, 4), after]);
    case 7: {
      // The end of another pickle.
      const other = random.pick(corpus);
      return Buffer.concat([before, other.subarray(random.below(other.length))]);
    }
    default: // The end.
      return before;
  }
}

/** The next pickle of a test. */
export function hostilePickle(random: Random, corpus: readonly Buffer[]): Buffer {
  const kind = random.below(8);
  if (kind === 0) return random.bytes(random.below(60));
  if (kind <= 2) {
    const instructions = Array.from({ length: random.below(40) }, () => instruction(random));
    return Buffer.concat([...instructions, Buffer.of(opcodes.STOP)]);
  }
  let pickle = random.pick(corpus);
  for (let i = 1 + random.below(4); i > 0; i--) pickle = damage(random, pickle, corpus);
  return pickle;
}
