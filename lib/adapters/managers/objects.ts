// SPDX-License-Identifier: MIT
//
// The objects of a manager, and what its clients hold of them. CPython: `id_to_obj` and `id_to_refcount` of `Server`.
//
// Each `create` of a client gets an id of its own, also for an object that several clients share. So the server knows which
// proxy is given up, and by that which client ends normally: it gives up its proxies before it closes its connection.
import { PythonError } from '../../serialization/pickle/python-error.js';
import type { Arguments } from './arguments.js';
import type { Served } from './served.js';
import { Reference } from './reference.js';

/** Makes the object for a `create` of a client. */
type Factory = (args: Arguments) => Served;

export class Objects {
  readonly #limit: number;
  readonly #types = new Map<string, Factory>();
  readonly #references = new Map<string, Reference>();
  #lastId = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  register(typeid: string, factory: Factory): void {
    this.#types.set(typeid, factory);
  }

  /** How many ids are in use. */
  get size(): number {
    return this.#references.size;
  }

  create(typeid: unknown, args: Arguments): Reference {
    const factory = this.#types.get(typeid as string);
    if (factory === undefined) throw new PythonError('KeyError', [typeid]);
    return this.add(factory(args));
  }

  add(served: Served): Reference {
    if (this.#references.size >= this.#limit && !this.#forgetOldest()) {
      throw new PythonError('RuntimeError', [`The manager has ${this.#limit} objects, which is its maxObjects`]);
    }
    const reference = new Reference((++this.#lastId).toString(16), served);
    this.#references.set(reference.id, reference);
    reference.count = 1;
    return reference;
  }

  find(id: unknown): Reference {
    const reference = this.#references.get(id as string);
    if (reference === undefined) throw new PythonError('KeyError', [id]);
    return reference;
  }

  incref(id: unknown): void {
    this.find(id).count++;
  }

  decref(id: unknown): void {
    const reference = this.find(id);
    reference.givenUp++;
    if (--reference.count === 0) this.#references.delete(reference.id);
  }

  /** As CPython's `debug_info`. */
  describe(): string {
    return [...this.#references.values()]
      .map(({ id, count, served }) => `  ${id}:       refcount=${count}\n    ${served.describe().slice(0, 75)}`)
      .join('\n');
  }

  /** A client that is killed does not give up its proxies. False if connections use all. */
  #forgetOldest(): boolean {
    for (const { id, users } of this.#references.values()) {
      if (users === 0) return this.#references.delete(id);
    }
    return false;
  }
}
