// SPDX-License-Identifier: MIT
import { UnpicklingError } from '../../../core/errors.js';
import { isError } from '../../../core/realms.js';
import type { FormatContext } from '../../format-types.js';
import { entriesOf } from '../dicts.js';
import { findGlobal } from './globals.js';
import { KnownGlobal, NEW_DICT, type PickleHooks, type Reading, type Redirection, type Reducer } from '../hooks.js';
import { PickleMachine } from './machine.js';
import { PythonGlobal, PythonObject } from '../nodes.js';
import { addOriginals } from '../originals.js';
import { currentName } from './python2-names.js';
import { rareOpcodes } from './rare-opcodes.js';

/** The most bytes of the heap that the result of an opcode takes, besides the bytes that it has in the pickle. */
const BYTES_PER_OPCODE = 128;

/** The length of pickles that have no more opcodes than any heap has room for. */
const ALWAYS_FITS = 8192;

let most: number | undefined;

/** How many opcodes a pickle of a length may have. Only long ones load node:v8, which takes longer than reading a short one. */
function mostOpcodes(length: number): number {
  if (length <= ALWAYS_FITS) return length + 1;
  const { getHeapStatistics } = process.getBuiltinModule('node:v8');
  return (most ??= Math.floor(getHeapStatistics().heap_size_limit / BYTES_PER_OPCODE));
}

/** What reducers may allocate: a multiple of the pickle's length, and a number of bytes. */
const EXPANSION = 8;
const EXPANSION_BYTES = 2 ** 20;

/**
 * Reads one pickle of protocol 0 to 5. It imports nothing, and calls nothing but the reducers of its tables. It does
 * not recurse, so the depth of a pickle does not matter, and its time and memory are in proportion to the pickle's
 * length.
 */
export class Decoder extends PickleMachine implements Reading {
  readonly #hooks: PickleHooks;
  readonly #context: FormatContext | undefined;
  #expansion: number;
  /** Whether there are objects of unknown classes. */
  #hasUnknown = false;
  /** The reducers that give made objects their state. */
  #builders: Map<unknown, Reducer> | undefined;

  constructor(bytes: Buffer, hooks: PickleHooks, keep: boolean, context: FormatContext | undefined, survey = false) {
    super(bytes, keep, survey, hooks.exact);
    this.#hooks = hooks;
    this.#context = context;
    this.#expansion = EXPANSION * bytes.length + EXPANSION_BYTES;
  }

  decode(): unknown {
    const { bytes } = this;
    const { length } = bytes;
    const limit = mostOpcodes(length);
    let left = limit;
    for (;;) {
      if (this.at >= length) throw this.error('The pickle is truncated');
      if (left-- === 0) throw this.error(`The pickle has more than ${limit} opcodes, too many for this heap`);
      const opcode = bytes[this.at++] as number;
      // These cases are numbers, because names from another module would be compared one by one. The rest is in a
      // table.
      switch (opcode) {
        case 0x28: // MARK
          this.mark();
          break;
        case 0x2e: // STOP
          if ((this.#hasUnknown || this.exact) && !this.surveying) addOriginals(this.originals);
          return this.pop();
        case 0x4b: // BININT1
          this.push(this.u8());
          break;
        case 0x4d: // BININT2
          this.push(this.u16());
          break;
        case 0x4a: // BININT
          this.push(this.i32());
          break;
        case 0x47: // BINFLOAT
          this.pushFloat(this.double());
          break;
        case 0x4e: // NONE
          this.push(null);
          break;
        case 0x88: // NEWTRUE
          this.push(true);
          break;
        case 0x89: // NEWFALSE
          this.push(false);
          break;
        case 0x8c: // SHORT_BINUNICODE
          this.push(this.text(this.u8()));
          break;
        case 0x58: // BINUNICODE
          this.push(this.text(this.u32()));
          break;
        case 0x43: // SHORT_BINBYTES
          this.push(this.binary(this.u8()));
          break;
        case 0x5d: // EMPTY_LIST
          this.push([]);
          break;
        case 0x7d: // EMPTY_DICT
          this.pushDict();
          break;
        case 0x61: // APPEND
          this.append(this.need(2) - 1);
          break;
        case 0x65: // APPENDS
          this.append(this.unmark());
          break;
        case 0x73: // SETITEM
          this.setItems(this.need(3) - 2);
          break;
        case 0x75: // SETITEMS
          this.setItems(this.unmark());
          break;
        case 0x74: // TUPLE
          this.push(this.original(this.popFrom(this.unmark())));
          break;
        case 0x85: // TUPLE1
          this.push(this.original(this.popFrom(this.need(1) - 1)));
          break;
        case 0x86: // TUPLE2
          this.push(this.original(this.popFrom(this.need(2) - 2)));
          break;
        case 0x87: // TUPLE3
          this.push(this.original(this.popFrom(this.need(3) - 3)));
          break;
        case 0x94: // MEMOIZE
          this.memoize();
          break;
        case 0x71: // BINPUT
          this.put(this.u8());
          break;
        case 0x68: // BINGET
          this.get(this.u8());
          break;
        case 0x6a: // LONG_BINGET
          this.get(this.u32());
          break;
        case 0x52: // REDUCE
          this.reduce();
          break;
        case 0x62: // BUILD
          this.#build();
          break;
        default: {
          const operation = rareOpcodes[opcode];
          if (operation === undefined) throw this.error(`There is no pickle opcode ${opcode}`);
          operation(this);
        }
      }
    }
  }

  charge(bytes: number): void {
    this.#expansion -= bytes;
    if (this.#expansion < 0) throw this.error('The value of the pickle is too large for its length');
  }

  protected override survey(): ReadonlySet<number> {
    const decoder = new Decoder(this.bytes, this.#hooks, true, this.#context, true);
    decoder.decode();
    return decoder.surveyed();
  }

  override global(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.error('The pickle names a global by an object that is not a str');
    if (this.protocol < 3) this.#named(...currentName(module, name));
    else this.#named(module, name);
  }

  #named(module: string, name: string): void {
    const global = findGlobal(module, name, this.#hooks);
    if (global === undefined) {
      throw this.error(
        `${module}.${name} is not known here, and was neither imported nor called; see pickle.register()`,
      );
    }
    this.push(global);
  }

  /** REDUCE: calls what is below the tuple at the top. */
  reduce(): void {
    this.need(2);
    const args = this.pop();
    this.make(this.pop(), args, false);
  }

  override make(type: unknown, args: unknown, isNew: boolean, keywords?: unknown): void {
    if (!(type instanceof PythonGlobal)) throw this.error('The pickle calls an object that is not a class or function');
    if (!Array.isArray(args))
      throw this.error(`The pickle calls ${type.toString()} with arguments that are not a tuple`);
    const hasKeywords = (entriesOf(keywords)?.length ?? 0) > 0;
    if (!(type instanceof KnownGlobal)) {
      this.#pushUnknown(type, args as unknown[], isNew, hasKeywords ? keywords : undefined);
      return;
    }
    const { reducer } = type;
    if (args.length > (reducer.most ?? Infinity)) throw this.error(`${type.toString()} takes fewer arguments here`);
    if (reducer.foreign?.(args as unknown[]) === true) {
      if (this.#hooks.unknown !== 'opaque')
        throw this.error(`${type.toString()} makes an object of a class that is not known here`);
      this.#pushUnknown(type, args as unknown[], isNew, undefined);
      return;
    }
    if (hasKeywords && reducer.keywords !== true) throw this.error(`${type.toString()} takes no keywords here`);
    if (isNew && reducer.byInit === true) this.#call(type, [], undefined);
    else if (reducer.attribute === true) this.#attribute(args as unknown[]);
    else if (reducer.redirect === undefined) this.#call(type, args as unknown[], keywords);
    else this.#redirect(type, reducer.redirect, args as unknown[]);
  }

  #pushUnknown(type: PythonGlobal, args: unknown[], isNew: boolean, keywords: unknown): void {
    this.#hasUnknown = true;
    this.pushMade(new PythonObject(type, args, isNew, undefined, keywords));
  }

  /** Protocols before 4 name what is inside of classes this way. No attribute of an object is read. */
  #attribute([owner, name, ...rest]: unknown[]): void {
    if (rest.length > 0 || !(owner instanceof PythonGlobal) || typeof name !== 'string') {
      throw this.error('The pickle asks for an attribute of an object that is not a class or module');
    }
    this.#named(owner.module, `${owner.name}.${name}`);
  }

  #redirect(from: KnownGlobal, redirect: (args: unknown[]) => Redirection, given: unknown[]): void {
    const { type, args, keywords } = redirect(given);
    const again = type instanceof KnownGlobal && type.reducer.redirect !== undefined;
    if (again || !(type instanceof PythonGlobal))
      throw this.error(`${from.toString()} is called with an object that is not a class`);
    this.make(type, args, true, keywords);
  }

  #call(type: KnownGlobal, args: unknown[], keywords: unknown): void {
    const { reducer } = type;
    if (this.surveying && reducer.pure !== true) {
      this.pushMade(new PythonObject(type, args, false));
      return;
    }
    const made = this.#attempt(type, () => {
      if (reducer.call === undefined) throw new TypeError('it cannot be called in a pickle');
      return reducer.call(args, this, keywords, this.#context);
    });
    if (made === NEW_DICT) {
      this.pushDict();
      return;
    }
    if (made === undefined) throw this.error(`${type.toString()} made nothing`);
    this.pushMade(made);
    if (reducer.build !== undefined) (this.#builders ??= new Map()).set(made, reducer);
  }

  /** BUILD: gives the object below the top its state. */
  #build(): void {
    this.need(2);
    const state = this.pop();
    const object = this.peek();
    if (object instanceof PythonObject) {
      object.state = state;
      return;
    }
    const reducer = this.#builders?.get(object);
    if (reducer?.build === undefined) throw this.error('The pickle gives a state to an object that takes none here');
    const built = this.#attempt(undefined, () => reducer.build?.(object, state, this, this.#context));
    if (built === undefined || built === object) return;
    this.exchange(built);
    this.#builders?.set(built, reducer);
  }

  /** The result of a function is dropped that was called for what it does to an object: `copyreg`'s state setters. */
  override discard(): void {
    const dropped = this.pop();
    if (!(dropped instanceof PythonObject) || dropped.isNew || dropped.args.length !== 2) return;
    const [object, state] = dropped.args;
    if (!this.isTop(object)) return;
    if (!(object instanceof PythonObject)) {
      throw this.error(`${dropped.type.toString()} is called to change an object, and is not known here`);
    }
    object.state = state;
    object.setter = dropped.type;
  }

  #attempt(type: PythonGlobal | undefined, make: () => unknown): unknown {
    try {
      return make();
    } catch (error) {
      // In a survey some arguments are placeholders, of which a reducer can make nothing.
      if (this.surveying) return new PythonObject(new PythonGlobal('', ''), [], false);
      if (error instanceof UnpicklingError) throw error;
      const reason = isError(error) ? `: ${error.message}` : '';
      throw this.error(`${type?.toString() ?? 'The state of an object'} cannot be decoded${reason}`, error);
    }
  }
}
