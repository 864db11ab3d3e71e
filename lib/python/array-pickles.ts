// SPDX-License-Identifier: MIT
//
// Arrays over shared memory in pickles. Python evaluates a text that makes an array over the same memory, with the source in
// arrays.py. An array in such memory comes back as the same call, and nothing else that would be evaluated is read here.
import { NotSupported } from '../core/errors.js';
import { rebuildObject, reduceObject, type Reducible } from '../reduction/registry.js';
import { shareableName } from '../reduction/shareable.js';
import type { SharedMemoryDescriptor } from '../shared-memory/shared-memory.js';
import { MessageContext } from '../reduction/attachments.js';
import { described } from '../reduction/description.js';
import type { Exporter } from '../reduction/exporters.js';
import { sharedView } from '../reduction/shared-views.js';
import { isMarked } from '../serialization/array-mark.js';
import type { FormatContext } from '../serialization/format-types.js';
import { array, text } from '../serialization/pickle/known/arguments.js';
import type { TypedArray } from '../serialization/pickle/known/elements.js';
import { defaultDtype, storageOf } from '../serialization/pickle/known/numpy.js';
import type { Reducer } from '../serialization/pickle/hooks.js';
import { PythonGlobal, PythonTuple, reduce, type PythonObject } from '../serialization/pickle/nodes.js';
import type { SharedArrayAddress } from '../shared-memory/array-views.js';
import { source } from './arrays.js';

const EVALUATE = new PythonGlobal('builtins', 'eval');

const MODULE = 'multiprocessing.shared_memory';
const MEMORY = 'SharedMemory';

/** The module that pool_worker.py runs in. */
export const POOL = '<node-multiprocessing>';

/** Finds the module of arrays.py, or makes it, and calls its function. Another version of the package has another module. */
const CODE =
  '(lambda m,n:(m.get(n)or m.setdefault(n,(lambda t:vars(t).update(source=source,code=code)or exec(source,vars(t))or t)' +
  "(type(m['sys'])(n)))).load(*args))(__import__('sys').modules,'_node_multiprocessing_arrays_1')";

/** The form of a typed array over shared memory in a pickle; undefined for any other object. */
export function reduceSharedArray(object: object, exporter: Exporter): PythonObject | undefined {
  const shared = sharedView(object);
  if (shared === undefined) return undefined;
  const dtype = isMarked(object) ? object.dtype : defaultDtype(object as TypedArray);
  const { folder, file, generation, word, ticket, offset, length, shape } = reduceObject(
    shared,
    exporter,
  ) as SharedArrayAddress;
  const place = [`${folder}/${file}`, generation, word, ticket, dtype, new PythonTuple(shape ?? [length]), offset];
  return reduce(EVALUATE, [CODE, { source, code: CODE, args: new PythonTuple(place) }]);
}

function refuse(): never {
  throw new NotSupported('A pickle carries no descriptors');
}

/** What a pickle that is a message can have of shared memory: such arrays, and objects of SharedMemory. */
export function reduceInMessage(object: object, context: FormatContext | undefined): PythonObject | undefined {
  if (!(context instanceof MessageContext)) return undefined;
  const exporter: Exporter = {
    recorded: false,
    serialization: 'pickle',
    toOneProcess: false,
    continues: false,
    descriptor: refuse,
    semaphore: refuse,
    endpoint: context.endpoint,
    onFailure: (undo) => {
      context.onFailure(undo);
    },
    onSettled: (settled) => {
      context.onSettled(settled);
    },
  };
  if (shareableName(object) !== MEMORY) {
    // A Uint8Array without a shape is bytes.
    const isBytes = object instanceof Uint8Array && !('shape' in object);
    const shared = isBytes ? undefined : reduceSharedArray(object, exporter);
    return shared ?? (context.carrier?.put(object, context) as PythonObject | undefined);
  }
  const { name } = reduceObject(object as Reducible, exporter) as SharedMemoryDescriptor;
  return reduce(new PythonGlobal(MODULE, MEMORY), [name]);
}

/** What that is in a pickle from Python. `eval` means the array at an address, and nothing else. */
export const sharedReducers: Readonly<Record<string, Readonly<Record<string, Reducer>>>> = {
  [MODULE]: {
    [MEMORY]: { call: ([name]) => rebuildObject({ type: MEMORY, name }, 'memory', described) },
  },
  [POOL]: {
    take: {
      call([at, kind, shape], _budget, _keywords, context) {
        const carrier = context instanceof MessageContext ? context.carrier : undefined;
        if (carrier === undefined) throw new TypeError('only a pool has such arrays');
        return carrier.take(at, kind, shape);
      },
    },
  },
  builtins: {
    eval: {
      foreign: ([code]) => code !== CODE,
      call([, globals]) {
        const place = array((globals as { args?: unknown } | null)?.args, 'the place of a shared array');
        const [path, generation, word, ticket, dtype, shape, offset] = place;
        const name = text(dtype, 'the dtype');
        const { type, each } = storageOf(name);
        const length = array(shape, 'the shape').reduce((product: number, size) => product * Number(size), each);
        const file = text(path, 'the path').replace(/^.*\//, '');
        const address = { file, generation, word, ticket, elements: type, offset, length, shape, dtype: name };
        return rebuildObject({ type: 'SharedArray', ...address }, 'array', described);
      },
    },
  },
};
