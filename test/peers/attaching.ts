// SPDX-License-Identifier: MIT
//
// A Node process that was started by other means. It attaches what its environment describes, and does what the child
// of sharing.ts does.
import { attach, type Connection, type Descriptor } from 'node-multiprocessing';

import { secondOfEach } from './sharing.js';

function take(name: string): unknown {
  const text = process.env[name] ?? '';
  // Otherwise a child of this process would take the descriptions for its own.
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
  delete process.env[name];
  return JSON.parse(text);
}

const conn = attach(take('CONN') as Descriptor) as Connection;
const objects = take('OBJECTS') as Record<string, Descriptor>;
await secondOfEach(
  conn,
  Object.fromEntries(Object.entries(objects).map(([name, descriptor]) => [name, attach(descriptor)])) as never,
);
