// SPDX-License-Identifier: MIT
//
// Compiled, never run: the uses that the types of queues must accept, and after each @ts-expect-error a use that they
// must refuse.
/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unnecessary-type-parameters --
   Values are there for their types. The function that compares these is never called. */
import {
  attach,
  BaseQueue,
  describe,
  JoinableQueue,
  Process,
  PythonProcess,
  Queue,
  SimpleQueue,
  TimeoutError,
  type Descriptor,
  type JoinableQueueOptions,
  type Lease,
  type LeaseHolder,
  type QueueDescriptor,
  type QueueOptions,
  type QueueWaitOptions,
  type UnfinishedItemsError,
} from 'node-multiprocessing';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if both types are the same. */
function same<A, B>(_: Equal<A, B>): void {
  // There is nothing to do at run time.
}

interface Job {
  id: number;
}

export function making(): void {
  new Queue();
  new Queue(5);
  new Queue<Job>({
    maxsize: 5,
    highWaterMark: 1024,
    serialization: 'json',
    maxMessageBytes: 1,
    exitFlushMs: null as never,
  });
  new JoinableQueue<Job>(5);
  new SimpleQueue<Job>({ serialization: 'pickle' });
  const options: QueueOptions = { maxsize: undefined };
  new Queue(options);
  // @ts-expect-error: a SimpleQueue has no size
  new SimpleQueue(5);
  // @ts-expect-error: no number
  new Queue('5');
  // @ts-expect-error: there is no such option
  new Queue({ size: 5 });
  // @ts-expect-error: no format
  new Queue({ serialization: 'xml' });
  // @ts-expect-error: it is what all queues have in common
  new BaseQueue();
}

export async function using(queue: Queue<Job>): Promise<void> {
  same<ReturnType<typeof queue.put>, Promise<void>>(true);
  same<ReturnType<typeof queue.get>, Promise<Job>>(true);
  same<ReturnType<typeof queue.getSync>, Job>(true);
  same<ReturnType<typeof queue.getNowait>, Job>(true);
  same<ReturnType<typeof queue.qsize>, number>(true);
  const wait: QueueWaitOptions = { block: true, timeout: 5, signal: AbortSignal.timeout(5) };
  await queue.put({ id: 1 }, wait);
  queue.putSync({ id: 1 }, { timeout: null });
  for await (const job of queue) same<typeof job, Job>(true);
  queue.shutdown({ immediate: true });
  await queue.joinThread();
  using here = queue;
  void here;
  // @ts-expect-error: this is no Job
  await queue.put('text');
  // @ts-expect-error: seconds are milliseconds here, and a number
  await queue.get({ timeout: '5' });
  // @ts-expect-error: a Queue counts nothing
  await queue.taskDone();
  // @ts-expect-error: nor can it be joined
  await queue.join();
}

export async function joining(queue: JoinableQueue<Job>, simple: SimpleQueue<Job>): Promise<void> {
  await queue.taskDone();
  same<ReturnType<typeof queue.join>, Promise<void>>(true);
  const all: BaseQueue<Job>[] = [queue, simple];
  void all;
  // @ts-expect-error: a SimpleQueue has no thread to wait for
  await simple.joinThread();
  // @ts-expect-error: nor a size
  simple.qsize();
}

export async function leasing(jobs: JoinableQueue<Job>): Promise<void> {
  const queue = new JoinableQueue<Job>({
    leases: true,
    leaseBytes: 1024,
    maxDeliveries: 3,
    deadLetters: new Queue<Job>(),
  });
  const options: JoinableQueueOptions<Job> = { leases: true, maxsize: 5 };
  new JoinableQueue<Job>(options);
  same<ReturnType<typeof queue.getLease>, Promise<Lease<Job>>>(true);
  same<ReturnType<typeof queue.getLeaseSync>, Lease<Job>>(true);
  await using lease = await jobs.getLease({ timeout: 5 });
  same<typeof lease.item, Job>(true);
  same<typeof lease.deliveries, number>(true);
  await lease.done();
  lease.releaseSync();
  const late = new TimeoutError('join') as UnfinishedItemsError;
  same<typeof late.holders, readonly LeaseHolder[]>(true);
  // @ts-expect-error: a Queue has no leases
  new Queue<Job>({ leases: true });
  // @ts-expect-error: a SimpleQueue takes no dead letters
  new JoinableQueue({ leases: true, maxDeliveries: 1, deadLetters: new SimpleQueue() });
}

export function passing(queue: Queue<Job>, joinable: JoinableQueue<Job>): void {
  const consumer = (jobs: Queue<Job>, name: string): void => void [jobs, name];
  new Process({ module: import.meta.url, target: consumer, args: [queue, 'a name'] });
  new PythonProcess({ target: 'module:function', args: [queue, joinable], kwargs: { queue } });
  // @ts-expect-error: another item
  new Process({ module: import.meta.url, target: consumer, args: [new Queue<string>(), 'a name'] });
  // @ts-expect-error: a name is missing
  new Process({ module: import.meta.url, target: consumer, args: [queue] });
}

export function describing(queue: Queue, descriptor: QueueDescriptor & { type: 'JoinableQueue' }): void {
  const described: Descriptor = describe(queue);
  void described;
  const attached: JoinableQueue = attach(descriptor);
  void attached;
}
