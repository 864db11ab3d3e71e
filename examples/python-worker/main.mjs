// SPDX-License-Identifier: MIT
//
// An HTTP server in Node whose requests are answered by Python functions: `node main.mjs [port]`. A pool of Python
// processes runs them. A request that takes too long, or whose client hangs up, frees its process for the next request.
// Without a port the program sends itself some requests, shows the answers and ends.
//
//   POST /count, /summary or /redact, with a text
//   POST /read_aloud, with a text, which is streamed back word by word
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

import * as mp from 'node-multiprocessing';

const FUNCTIONS = ['count', 'summary', 'redact'];

const pool = new mp.PythonPool({
  target: 'texts:count',
  pythonPath: import.meta.dirname,
  processes: 2,
  maxQueue: 100,
  timeout: 10_000,
});

/** What to answer for an error of a task. */
function statusOf(error) {
  if (error instanceof mp.RemoteError) return [422, error.args[0]];
  if (error instanceof mp.PoolSaturated || error instanceof mp.PoolClosed) return [503, 'too many requests'];
  if (error instanceof mp.TaskTimeout) return [504, 'it took too long'];
  return [500, 'the worker has failed'];
}

function send(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** Streams the items of a Python generator. Python is as fast as the client reads. */
async function stream(response, items) {
  for await (const word of items) {
    if (!response.write(`${word}\n`)) await new Promise((resolve) => response.once('drain', resolve));
  }
  response.end();
}

const server = createServer(async (request, response) => {
  const name = request.url.slice(1);
  // Aborted when the client hangs up before it has the answer.
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const options = { target: `texts:${name}`, signal: gone.signal };
  try {
    if (request.method === 'POST' && name === 'read_aloud') {
      await stream(response, pool.stream([await text(request)], options));
    } else if (request.method === 'POST' && FUNCTIONS.includes(name)) {
      send(response, 200, await pool.apply([await text(request)], options));
    } else {
      send(response, 404, { error: `no such function: ${name}` });
    }
  } catch (error) {
    if (gone.signal.aborted) return;
    const [status, reason] = statusOf(error);
    if (response.headersSent) response.destroy();
    else send(response, status, { error: reason });
  }
});

async function askItself(port) {
  const story = 'The quick brown fox jumps over the lazy dog. The dog sleeps on. Write to fox@example.org for more.';
  const questions = [...FUNCTIONS.map((name) => [name, story]), ['summary', ''], ['translate', story]];
  const ask = async ([name, body]) => {
    const response = await fetch(`http://localhost:${port}/${name}`, { method: 'POST', body });
    return `${name}: ${response.status} ${await response.text()}`;
  };
  for (const line of await Promise.all(questions.map(ask))) console.log(line);
}

// A server that cannot load its functions does not listen.
await pool.ready();
await new Promise((resolve) => server.listen(Number(process.argv[2] ?? 0), 'localhost', resolve));
const { port } = server.address();

async function stop() {
  server.close();
  server.closeIdleConnections();
  // What a container allows between SIGTERM and SIGKILL, and a little less.
  await pool.close({ grace: 8000 });
}

if (process.argv[2] === undefined) {
  await askItself(port);
  await stop();
} else {
  process.once('SIGTERM', stop);
  console.log(`http://localhost:${port}/`);
}
