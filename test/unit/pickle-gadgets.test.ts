// SPDX-License-Identifier: MIT
//
// Pickles that would do harm in Python. Each is a typed error here that names the callable, and nothing is called.
import { expect } from 'chai';
import { pickle, UnpicklingError } from 'node-multiprocessing';

import { assemble, global, little } from '../helpers/index.js';

const text = (characters: string): Buffer =>
  Buffer.concat([Buffer.of(0x58), little(characters.length, 4), Buffer.from(characters)]);
const call = (module: string, name: string, ...args: Buffer[]): Buffer =>
  Buffer.concat([global(module, name), Buffer.from('('), ...args, Buffer.from('tR')]);

/** A class in place of one of the user's own. */
class Target {
  field = 0;
}

const gadgets: [string, Buffer, RegExp][] = [
  ['os.system', assemble(call('os', 'system', text('id'))), /os\.system/],
  ['posix.system', assemble(call('posix', 'system', text('id'))), /posix\.system/],
  [
    'by STACK_GLOBAL',
    assemble(text('os'), text('system'), 'STACK_GLOBAL', text('id'), 'TUPLE1', 'REDUCE'),
    /os\.system/,
  ],
  ['by INST', assemble('MARK', text('id'), 'INST', "'os\nsystem\n"), /os\.system/],
  ['by OBJ', assemble('MARK', global('os', 'system'), text('id'), 'OBJ'), /os\.system/],
  ['by NEWOBJ', assemble(global('subprocess', 'Popen'), text('id'), 'TUPLE1', 'NEWOBJ'), /subprocess\.Popen/],
  [
    'by NEWOBJ_EX',
    assemble(global('subprocess', 'Popen'), 'EMPTY_TUPLE', 'EMPTY_DICT', 'NEWOBJ_EX'),
    /subprocess\.Popen/,
  ],
  [
    'by copyreg.__newobj__',
    assemble(call('copyreg', '__newobj__', global('subprocess', 'Popen'))),
    /subprocess\.Popen/,
  ],
  ['builtins.eval', assemble(call('builtins', 'eval', text('1'))), /builtins\.eval/],
  ['builtins.exec', assemble(call('builtins', 'exec', text('1'))), /builtins\.exec/],
  ['__builtin__.eval', assemble(call('__builtin__', 'eval', text('1'))), /builtins\.eval/],
  ['builtins.__import__', assemble(call('builtins', '__import__', text('os'))), /__import__/],
  ['importlib.import_module', assemble(call('importlib', 'import_module', text('os'))), /import_module/],
  ['builtins.open', assemble(call('builtins', 'open', text('/etc/passwd'))), /builtins\.open/],
  [
    'getattr of a module',
    assemble(call('builtins', 'getattr', call('builtins', '__import__', text('os')), text('system'))),
    /__import__/,
  ],
  [
    'getattr of a known class',
    assemble(call('builtins', 'getattr', global('decimal', 'Decimal'), text('__subclasses__'))),
    /Decimal\.__subclasses__/,
  ],
  ['getattr of a value', assemble(call('builtins', 'getattr', text('x'), text('format'))), /attribute/],
  [
    'getattr of getattr',
    assemble(call('builtins', 'getattr', global('builtins', 'getattr'), text('__self__'))),
    /getattr\.__self__/,
  ],
  ['a dotted name', assemble(text('datetime'), text('datetime.__class__'), 'STACK_GLOBAL'), /datetime\.__class__/],
  [
    'functools.partial',
    assemble(call('functools', 'partial', global('os', 'system'), text('id'))),
    /functools\.partial/,
  ],
  ['operator.attrgetter', assemble(call('operator', 'attrgetter', text('system'))), /attrgetter/],
  ['operator.methodcaller', assemble(call('operator', 'methodcaller', text('x'))), /methodcaller/],
  ['types.CodeType', assemble(call('types', 'CodeType')), /CodeType/],
  ['marshal.loads', assemble(call('marshal', 'loads', text('x'))), /marshal\.loads/],
  ['pickle.loads', assemble(call('pickle', 'loads', text('N.'))), /pickle\.loads/],
  ['_codecs.decode', assemble(call('_codecs', 'decode', text('x'), text('rot13'))), /_codecs\.decode/],
  ['_codecs.encode of another encoding', assemble(call('_codecs', 'encode', text('x'), text('rot13'))), /latin1/],
  ['runpy', assemble(call('runpy', '_run_code', text('1'))), /runpy/],
  ['a class of multiprocessing', assemble(call('multiprocessing.process', 'BaseProcess')), /BaseProcess/],
  [
    'a call of what was made',
    assemble(call('decimal', 'Decimal', text('1')), 'EMPTY_TUPLE', 'REDUCE'),
    /calls an object that is not a class/,
  ],
  ['a call of a type that is only known by name', assemble(call('builtins', 'int', text('1'))), /builtins\.int/],
  [
    'a call of a global that is data',
    assemble(text('os'), 'EMPTY_TUPLE', 'REDUCE'),
    /calls an object that is not a class/,
  ],
  ['_reconstructor of nothing', assemble(call('copyreg', '_reconstructor')), /_reconstructor|derived/],
  [
    '_reconstructor of itself',
    assemble(
      call(
        'copyreg',
        '_reconstructor',
        global('copyreg', '_reconstructor'),
        global('builtins', 'object'),
        Buffer.from('N'),
      ),
    ),
    /_reconstructor/,
  ],
  [
    '_reconstructor of a dict',
    assemble(
      call('copyreg', '_reconstructor', global('decimal', 'Decimal'), global('builtins', 'dict'), Buffer.from('}')),
    ),
    /not known here/,
  ],
  [
    '__newobj__ of itself',
    assemble(call('copyreg', '__newobj__', ...Array.from({ length: 50 }, () => global('copyreg', '__newobj__')))),
    /__newobj__/,
  ],
  [
    'names of JavaScript',
    assemble(call('constructor', 'constructor', text('return process'))),
    /constructor\.constructor/,
  ],
  ['__proto__', assemble(global('__proto__', '__proto__')), /__proto__/],
  ['a known module, a name of JavaScript', assemble(global('decimal', 'constructor')), /decimal\.constructor/],
  ['BUILD of a list', assemble('EMPTY_LIST', 'EMPTY_DICT', text('push'), 'NONE', 'SETITEM', 'BUILD'), /state/],
  ['BUILD of a dict', assemble('EMPTY_DICT', 'EMPTY_DICT', text('__class__'), 'NONE', 'SETITEM', 'BUILD'), /state/],
  ['BUILD of bytes', assemble('SHORT_BINBYTES', 1, 0, 'EMPTY_DICT', 'BUILD'), /state/],
  [
    'BUILD of a Decimal',
    assemble(call('decimal', 'Decimal', text('1')), 'EMPTY_DICT', text('text'), 'NONE', 'SETITEM', 'BUILD'),
    /state/,
  ],
  [
    'BUILD of a class',
    assemble(global('decimal', 'Decimal'), 'EMPTY_DICT', text('prototype'), 'NONE', 'SETITEM', 'BUILD'),
    /state/,
  ],
  [
    'BUILD of an object with __setstate__',
    assemble('EMPTY_DICT', text('__setstate__'), global('builtins', 'list'), 'SETITEM', 'EMPTY_DICT', 'BUILD'),
    /state/,
  ],
  [
    'slots of a registered class that are not named by text',
    assemble(
      global('app', 'Target'),
      'EMPTY_TUPLE',
      'NEWOBJ',
      'NONE',
      'EMPTY_DICT',
      'NONE',
      'NONE',
      'SETITEM',
      'TUPLE2',
      'BUILD',
    ),
    /state/,
  ],
  ['a persistent id', assemble(text('x'), 'BINPERSID'), /persistent/],
  ['a persistent id in text', assemble('PERSID', "'x\n"), /persistent/],
  ['an extension code', assemble('EXT1', 1), /extension/],
];

describe('Harmful pickles', () => {
  for (const unknown of ['error', 'opaque'] as const) {
    it(`are an UnpicklingError with the reason${unknown === 'opaque' ? ', or an object that does nothing' : ''}`, () => {
      const takeBack = pickle.register({ module: 'app', name: 'Target', class: Target });
      for (const [name, bytes, message] of gadgets) {
        let value: unknown;
        try {
          value = pickle.loads(bytes, { unknown });
        } catch (error) {
          expect(error, name).to.be.instanceOf(UnpicklingError);
          if (unknown === 'error') expect((error as Error).message, name).to.match(message);
          continue;
        }
        expect(unknown, name).to.equal('opaque');
        const isOpaque = value instanceof pickle.PythonObject || value instanceof pickle.PythonGlobal;
        expect(isOpaque, name).to.equal(true);
      }
      takeBack();
    });
  }

  it('can reach neither the prototype of objects nor, except by name, the properties of registered classes', () => {
    const takeBack = pickle.register({ module: 'app', name: 'Target', class: Target });
    const state = (key: string): Buffer =>
      assemble(
        global('app', 'Target'),
        'EMPTY_TUPLE',
        'NEWOBJ',
        'EMPTY_DICT',
        text(key),
        'EMPTY_DICT',
        text('polluted'),
        'NEWTRUE',
        'SETITEM',
        'SETITEM',
        'BUILD',
      );
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      const target = pickle.loads(state(key)) as Target;
      expect(target).to.be.instanceOf(Target);
      expect(Object.keys(target)).to.deep.equal([key]);
    }
    takeBack();
    expect((Object.prototype as { polluted?: unknown }).polluted).to.equal(undefined);
    expect((Target.prototype as { polluted?: unknown }).polluted).to.equal(undefined);
  });
});
