// SPDX-License-Identifier: MIT
//
// A registry on a local port that has the packed packages and no others: package managers choose the addon by its fields, as
// they will when all is published.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { outputOf } from '../support.mjs';

/**
 * What a registry says about one version of a package.
 *
 * @param {string} tarball
 * @param {string} url
 */
function versionOf(tarball, url) {
  /** @type {unknown} */
  const parsed = JSON.parse(outputOf('tar', ['-xzOf', tarball, 'package/package.json']));
  const manifest = /** @type {{ name: string, version: string }} */ (parsed);
  const bytes = readFileSync(tarball);
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  const shasum = createHash('sha1').update(bytes).digest('hex');
  return { bytes, manifest: { ...manifest, dist: { tarball: url, integrity, shasum } } };
}

/**
 * @param {readonly string[]} tarballs
 * @returns {Promise<string>} The URL of the registry.
 */
async function serve(tarballs) {
  /** @type {Map<string, { type: string, body: Buffer | string }>} */
  const answers = new Map();
  const server = createServer((request, response) => {
    const answer = answers.get(decodeURIComponent(new URL(request.url ?? '/', 'http://local').pathname));
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': answer?.type ?? 'application/json' });
    response.end(answer?.body ?? '{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The registry has no port');
  const url = `http://127.0.0.1:${address.port}`;
  for (const [i, tarball] of tarballs.entries()) {
    const file = `/tarballs/${i}.tgz`;
    const { bytes, manifest } = versionOf(tarball, `${url}${file}`);
    const { name, version } = manifest;
    const time = { [version]: '2020-01-01T00:00:00.000Z', created: '2020-01-01T00:00:00.000Z' };
    const body = JSON.stringify({ name, 'dist-tags': { latest: version }, versions: { [version]: manifest }, time });
    answers.set(`/${name}`, { type: 'application/json', body });
    answers.set(file, { type: 'application/octet-stream', body: bytes });
  }
  return url;
}

/**
 * Starts a registry in a thread: its caller waits for the package managers by blocking.
 *
 * @param {readonly string[]} tarballs
 * @returns {Promise<{ url: string, close: () => void }>}
 */
export async function startRegistry(tarballs) {
  const worker = new Worker(new URL(import.meta.url), { workerData: tarballs });
  /** @type {unknown} */
  const url = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return { url: String(url), close: () => void worker.terminate() };
}

if (parentPort !== null) {
  /** @type {unknown} */
  const tarballs = workerData;
  parentPort.postMessage(await serve(/** @type {readonly string[]} */ (tarballs)));
}
