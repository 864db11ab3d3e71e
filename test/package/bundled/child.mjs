import { JoinableQueue } from 'node-multiprocessing';

export async function putKind(queue) {
  await queue.put(queue instanceof JoinableQueue ? 'JoinableQueue' : 'an object of other classes');
}
