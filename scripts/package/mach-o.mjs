// SPDX-License-Identifier: MIT
//
// Reads what a library for macOS asks of the system that loads it, since nothing here can load one.
import { readFileSync } from 'node:fs';

const MAGIC = 0xfeedfacf;
const CPUS = { x64: 0x01000007, arm64: 0x0100000c };
const LC_SYMTAB = 2;
const LC_LOAD_DYLIB = 0xc;
const LC_CODE_SIGNATURE = 0x1d;
const LC_BUILD_VERSION = 0x32;

/** Of a symbol's type: it is external; it is not to be seen outside; and the bits that are 0 if it is defined elsewhere. */
const EXTERNAL = 0x01;
const PRIVATE = 0x10;
const DEFINED = 0x0e;
/** The number of the library that has a symbol, if the loader looks for it in all of them. */
const ANY_LIBRARY = 0xfe;

/** The oldest macOS, as the header has it: 11.0.0. */
const OLDEST = 11 << 16;

/**
 * @param {Buffer} bytes
 * @param {number} from
 */
function textAt(bytes, from) {
  return bytes.toString('latin1', from, bytes.indexOf(0, from));
}

/** @param {Buffer} bytes */
function parse(bytes) {
  const commands = [];
  let at = 32;
  for (let i = 0; i < bytes.readUInt32LE(16); i++) {
    commands.push({ command: bytes.readUInt32LE(at), at });
    at += bytes.readUInt32LE(at + 4);
  }
  const table = commands.find(({ command }) => command === LC_SYMTAB)?.at ?? 0;
  const [first = 0, many = 0, names = 0] = [8, 12, 16].map((offset) => bytes.readUInt32LE(table + offset));
  const symbols = Array.from({ length: many }, (_, i) => {
    const entry = first + 16 * i;
    const type = bytes.readUInt8(entry + 4);
    return {
      name: textAt(bytes, names + bytes.readUInt32LE(entry)),
      isVisible: (type & EXTERNAL) !== 0 && (type & PRIVATE) === 0,
      isDefined: (type & DEFINED) !== 0,
      library: bytes.readUInt16LE(entry + 6) >> 8,
    };
  });
  const libraries = commands
    .filter(({ command }) => command === LC_LOAD_DYLIB)
    .map((one) => textAt(bytes, one.at + bytes.readUInt32LE(one.at + 8)));
  return { commands, symbols, libraries };
}

/**
 * Checks an addon for macOS. The linker has checked that libSystem has the names that are looked for there; those of Node are
 * looked for in all that the process has loaded, and no others may be.
 *
 * @param {string} file
 * @param {'x64' | 'arm64'} arch
 */
export function checkDarwinAddon(file, arch) {
  const bytes = readFileSync(file);
  if (bytes.readUInt32LE(0) !== MAGIC) throw new Error(`${file} is no library for macOS`);
  if (bytes.readUInt32LE(4) !== CPUS[arch]) throw new Error(`${file} is not for ${arch}`);
  const { commands, symbols, libraries } = parse(bytes);
  const build = commands.find(({ command }) => command === LC_BUILD_VERSION)?.at;
  const undefinedOnes = symbols.filter(({ isVisible, isDefined }) => isVisible && !isDefined);
  const problems = [
    ...libraries.filter((name) => name !== '/usr/lib/libSystem.B.dylib').map((name) => `needs ${name}`),
    ...undefinedOnes
      .filter(({ name, library }) => library === ANY_LIBRARY && !/^_(napi|node_api|uv)_/.test(name))
      .map(({ name }) => `needs ${name}, which nothing has`),
    ...['_napi_register_module_v1', '_node_api_module_get_api_version_v1']
      .filter((name) => !symbols.some((symbol) => symbol.name === name && symbol.isVisible && symbol.isDefined))
      .map((name) => `lacks ${name}`),
    ...(undefinedOnes.some(({ name }) => name.startsWith('_napi_')) ? [] : ['calls nothing of Node']),
    ...(build !== undefined && bytes.readUInt32LE(build + 12) <= OLDEST ? [] : ['needs a newer macOS than 11']),
    // Processors by Apple run nothing without a signature.
    ...(arch === 'x64' || commands.some(({ command }) => command === LC_CODE_SIGNATURE) ? [] : ['is not signed']),
  ];
  if (problems.length > 0)
    throw new Error(problems.map((problem) => `The addon for darwin-${arch} ${problem}`).join('\n'));
}
