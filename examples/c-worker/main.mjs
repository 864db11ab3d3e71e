import { spawn } from 'node:child_process';
import * as mp from 'node-multiprocessing';

const serialization = { serialize: (bytes) => bytes, deserialize: (bytes) => bytes };
const jobs = new mp.Queue({ maxsize: 8, serialization });
const results = new mp.Queue({ maxsize: 8, serialization });
const [from, to] = [mp.describe(jobs), mp.describe(results)];
const names = [from.rlock, from.places, to.wlock, to.places].map((part) => part.semaphore.name);
const stdio = [0, 1, 2, from.reader.descriptor.fd, to.writer.descriptor.fd];
spawn(process.argv[2], names, { stdio });

for (const word of ['Hello', 'World']) await jobs.put(Buffer.from(word));
for (let i = 0; i < 2; i++) console.log((await results.get()).toString());
await jobs.put(Buffer.alloc(0)); // The worker ends.
