// SPDX-License-Identifier: MIT
//
// The tasks that wait for a worker: by priority, and in the order of the calls within one. Tasks with a key wait for the worker
// that has the key, if one has it.
import { Fifo } from '../core/fifo.js';
import type { Task } from './task.js';

/** The tasks of each priority. */
class Lanes {
  readonly #lanes = new Map<number, Fifo<Task>>();
  /** The priorities, highest first. */
  #order: number[] = [];

  push(task: Task): void {
    let lane = this.#lanes.get(task.priority);
    if (lane === undefined) {
      this.#lanes.set(task.priority, (lane = new Fifo()));
      this.#order = [...this.#order, task.priority].sort((a, b) => b - a);
    }
    lane.push(task);
  }

  /** The first task that is not settled. */
  get first(): Task | undefined {
    for (const priority of [...this.#order]) {
      const lane = this.#lanes.get(priority) as Fifo<Task>;
      while (lane.first !== undefined && lane.first.job === undefined) lane.shift();
      if (lane.first !== undefined) return lane.first;
      this.#lanes.delete(priority);
      this.#order = this.#order.filter((other) => other !== priority);
    }
    return undefined;
  }

  /** Takes the first task that is not settled. */
  shift(): Task | undefined {
    const { first } = this;
    if (first !== undefined) this.#lanes.get(first.priority)?.shift();
    return first;
  }
}

/** How many keys are remembered. */
const MOST_KEYS = 10_000;

/** The waiting tasks of a pool, whose workers are any objects. */
export class TaskQueue<W extends object> {
  readonly #shared = new Lanes();
  /** Tasks that are repeated, and so come before all others. */
  readonly #again: Task[] = [];
  readonly #own = new Map<W, Lanes>();
  readonly #keys = new Map<unknown, W>();
  #length = 0;

  /** How many tasks wait. */
  get length(): number {
    return this.#length;
  }

  push(task: Task): void {
    this.#add(task);
    (this.#laneOf(task) ?? this.#shared).push(task);
  }

  /** Puts a task before all others. */
  unshift(task: Task): void {
    this.#add(task);
    this.#again.push(task);
  }

  /** Takes the next task for a worker. */
  take(worker: W): Task | undefined {
    const task = this.#find(worker);
    if (task === undefined) return undefined;
    task.onSettled = undefined;
    this.#length--;
    if (task.key !== undefined) this.#assign(task.key, worker);
    return task;
  }

  /** Takes the next task if it may be sent to a worker that has not ended its present one, whichever that is. */
  takeAhead(): Task | undefined {
    const { first } = this.#shared;
    if (first?.job?.ahead !== true || this.#again.length > 0) return undefined;
    this.#shared.shift();
    first.onSettled = undefined;
    this.#length--;
    return first;
  }

  /** Whether a task waits that is not for one of the other workers alone. */
  get hasShared(): boolean {
    return this.#again.some(({ job }) => job !== undefined) || this.#shared.first !== undefined;
  }

  /** The worker takes no more tasks: others take those that wait for it. */
  forget(worker: W): void {
    for (const [key, owner] of this.#keys) if (owner === worker) this.#keys.delete(key);
    const lanes = this.#own.get(worker);
    this.#own.delete(worker);
    for (let task = lanes?.shift(); task !== undefined; task = lanes?.shift()) this.#shared.push(task);
  }

  /** Removes and returns all tasks. */
  clear(): Task[] {
    const tasks = [...this.#again.splice(0)];
    for (const lanes of [this.#shared, ...this.#own.values()]) {
      for (let task = lanes.shift(); task !== undefined; task = lanes.shift()) tasks.push(task);
    }
    const left = tasks.filter(({ job }) => job !== undefined);
    for (const task of left) task.onSettled = undefined;
    this.#length = 0;
    return left;
  }

  #add(task: Task): void {
    this.#length++;
    task.onSettled = () => {
      this.#length--;
    };
  }

  #find(worker: W): Task | undefined {
    for (let task = this.#again.shift(); task !== undefined; task = this.#again.shift()) {
      if (task.job !== undefined) return task;
    }
    const own = this.#own.get(worker);
    for (;;) {
      const [mine, any] = [own?.first, this.#shared.first];
      if (mine !== undefined && (any === undefined || mine.priority >= any.priority)) return own?.shift();
      if (any === undefined) return undefined;
      this.#shared.shift();
      const lane = this.#laneOf(any, worker);
      // Another worker has got the key since the task was queued.
      if (lane === undefined) return any;
      lane.push(any);
    }
  }

  /** Where a task waits whose key has a worker, other than `except`. */
  #laneOf({ key }: Task, except?: W): Lanes | undefined {
    const owner = key === undefined ? undefined : this.#keys.get(key);
    if (owner === undefined || owner === except) return undefined;
    const lanes = this.#own.get(owner) ?? new Lanes();
    this.#own.set(owner, lanes);
    return lanes;
  }

  #assign(key: unknown, worker: W): void {
    this.#keys.delete(key);
    this.#keys.set(key, worker);
    if (this.#keys.size <= MOST_KEYS) return;
    const [oldest] = this.#keys.keys();
    this.#keys.delete(oldest);
  }
}
