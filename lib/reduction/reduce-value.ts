// SPDX-License-Identifier: MIT
//
// Values with objects of this package in them, on their way to another process: each object becomes a descriptor, however
// often it is met, so that who gets the value finds one object in all these places too.
import { Connection } from '../connection/connection.js';
import { attachObject, describeObject, type Describable, type Descriptor } from '../describe.js';
import { argumentError, BusyError, ClosedError, NotSupported } from '../core/errors.js';
import { packing } from '../connection/object-message.js';
import { putTogether, takeApart, type SharedValue } from './object-graph.js';
import type { Giving, Taking } from './transfer.js';
import { checkInteger } from '../core/validate.js';

/** Stands for an object that is described already. */
interface Same {
  readonly type: 'Same';
  readonly number: number;
}

/** Stands for one more Connection over the channel of one that is described already. */
interface Copy {
  readonly type: 'Copy';
  readonly number: number;
}

/** The same error with the path to what it is about. */
function errorAt(path: string, error: unknown): unknown {
  const options = { cause: error };
  if (error instanceof ClosedError) return new ClosedError(path);
  if (error instanceof BusyError) return new BusyError(`${path}: ${error.message}`, options);
  if (error instanceof NotSupported) return new NotSupported(`${path}: ${error.message}`, options);
  if ((error as { code?: unknown }).code !== 'ERR_INVALID_ARG_TYPE') return error;
  return new NotSupported(`${path} is an object that cannot be passed to another process`, options);
}

/**
 * Takes a value apart for somebody else.
 *
 * @param name What it is called in errors: `PicklingError` for what cannot be serialised and `NotSupported` for what cannot
 *   be given away, with the path to it.
 */
export function giveValue(value: unknown, name: string, giving: Giving): SharedValue {
  const numbers = new Map<object, number>();
  const descriptors: (Descriptor | Copy)[] = [];
  /** Two readers of one stream would each miss what the other has. */
  const copyOf = (object: object): Copy | undefined => {
    if (!(object instanceof Connection)) return undefined;
    object.fileno();
    const { channel } = Connection.partsOf(object as Connection<never, unknown>);
    const number = numbers.get(channel);
    if (number !== undefined) return { type: 'Copy', number };
    numbers.set(channel, descriptors.length);
    return undefined;
  };
  const refer = (object: object): Same => {
    const known = numbers.get(object);
    if (known !== undefined) return { type: 'Same', number: known };
    // Parts come before what they are a part of.
    const descriptor = copyOf(object) ?? describeObject(object, giving, (part) => refer(part) as unknown as Descriptor);
    const number = descriptors.push(descriptor) - 1;
    numbers.set(object, number);
    return { type: 'Same', number };
  };
  const {
    magic,
    objects,
    value: bytes,
  } = takeApart(value, name, (object, path) => {
    try {
      return refer(object).number;
    } catch (error) {
      throw errorAt(path, error);
    }
  });
  // Stand-ins are numbered as they are met, descriptors with the parts between them.
  return { magic, objects: [descriptors, objects], value: bytes };
}

/** Puts a value together that somebody else has taken apart. If that fails nothing stays open. */
export function takeValue(shared: SharedValue, taking: Taking): unknown {
  const [descriptors, numbers] = shared.objects as [readonly unknown[], readonly number[]];
  const taken: Describable[] = [];
  const find = (descriptor: unknown): Describable => {
    const { number } = descriptor as Same;
    checkInteger(number, 'number', 0, taken.length - 1);
    return taken[number] as Describable;
  };
  try {
    for (const descriptor of descriptors) {
      const isCopy = (descriptor as Partial<Copy> | undefined)?.type === 'Copy';
      taken.push(isCopy ? copied(find(descriptor)) : attachObject(descriptor, taking, find));
    }
    return putTogether(
      shared,
      numbers.map((number) => find({ number })),
    );
  } catch (error) {
    for (const object of taken) object.close();
    throw error;
  }
}

function copied(object: Describable): Connection {
  if (object instanceof Connection) return object.dup();
  throw argumentError('type', 'the message has a copy of what is no Connection');
}

// Messages are put together by a part that all classes build upon, which therefore cannot import what knows all classes.
packing.give = giveValue;
packing.take = takeValue;
