// SPDX-License-Identifier: MIT
//
// An HTTP server in Node whose requests are answered by Python functions: `node main.mjs [port]`. Each free Python
// process gets the next request from a JoinableQueue and puts the answer on a Queue. Without a port the program sends
// itself some requests, shows the answers and ends.
//
//   POST /count, /summary or /redact, with a text
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

import * as mp from 'node-multiprocessing';

const PROCESSES = 2;
const FUNCTIONS = ['count', 'summary', 'redact'];

// Python reads pickles. The slots bound how many requests wait; the server answers the others with 503.
const requests = new mp.JoinableQueue({ maxsize: 100, serialization: 'pickle' });
const answers = new mp.Queue({ serialization: 'pickle' });
/** The callback for the answer to each pending request, by the request's number. */
const waiting = new Map();
let last = 0;

const workers = Array.from({ length: PROCESSES }, (_, i) => {
  const options = { target: 'texts:work', args: [requests, answers], pythonPath: import.meta.dirname };
  return new mp.PythonProcess({ ...options, name: `texts-${i + 1}`, daemon: true });
});

function ask(name, body) {
  const number = ++last;
  // Throws Full if no slot is free.
  requests.putNowait([number, name, body]);
  return new Promise((resolve) => waiting.set(number, resolve));
}

async function collect() {
  for await (const [number, status, answer] of answers) {
    waiting.get(number)([status, answer]);
    waiting.delete(number);
  }
}

const server = createServer(async (request, response) => {
  const name = request.url.slice(1);
  let status = 404;
  let answer = { error: `no such function: ${name}` };
  if (request.method === 'POST' && FUNCTIONS.includes(name)) {
    try {
      [status, answer] = await ask(name, await text(request));
    } catch (error) {
      if (!(error instanceof mp.Full)) throw error;
      [status, answer] = [503, { error: 'too many requests' }];
    }
  }
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer));
});

async function askItself(port) {
  const story = 'The quick brown fox jumps over the lazy dog. The dog sleeps on. Write to fox@example.org for more.';
  const questions = [...FUNCTIONS.map((name) => [name, story]), ['summary', ''], ['translate', story]];
  await Promise.all(
    questions.map(async ([name, body], i) => {
      const response = await fetch(`http://localhost:${port}/${name}`, { method: 'POST', body });
      questions[i] = `${name}: ${response.status} ${await response.text()}`;
    }),
  );
  for (const line of questions) console.log(line);
}

for (const worker of workers) worker.start();
const collected = collect();
await new Promise((resolve) => server.listen(Number(process.argv[2] ?? 0), 'localhost', resolve));
const { port } = server.address();
if (process.argv[2] === undefined) {
  await askItself(port);
  server.close();
  // All requests are answered. A null for each worker ends it.
  await requests.join();
  for (let i = 0; i < PROCESSES; i++) await requests.put(null);
  for (const worker of workers) await worker.join();
  answers.close();
  await collected;
} else {
  console.log(`http://localhost:${port}/`);
}
