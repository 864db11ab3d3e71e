// SPDX-License-Identifier: MIT
/// <reference lib="dom" />
//
// Opens each page of the site in headless Chromium: it must render without an error, its links and anchors must lead somewhere, and
// the search must find. Screenshots go to out/site/shots. Without Chromium the check says so, and passes.
//
//   node scripts/docs/check.mjs
import { spawnSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { npm } from '../package.mjs';
import { filesBelow, main, reportCounts } from '../support.mjs';
import { buildSite, site } from './site.mjs';

const dist = path.join(site, 'dist');

/** @type {Record<string, string>} */
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.txt': 'text/plain',
};

/** @param {string} address The path in a URL. @returns {string | undefined} */
function fileOf(address) {
  const name = decodeURIComponent(address);
  return [name, `${name}.html`, `${name}/index.html`]
    .map((candidate) => path.join(dist, candidate))
    .find((file) => existsSync(file) && statSync(file).isFile());
}

/** @returns {Promise<{ origin: string, close: () => void }>} */
function serve() {
  const server = createServer((request, response) => {
    const file = fileOf(new URL(request.url ?? '/', 'http://localhost').pathname);
    response.writeHead(file === undefined ? 404 : 200, {
      'content-type': TYPES[path.extname(file ?? '')] ?? 'text/plain',
    });
    if (file === undefined) response.end();
    else createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      resolve({
        origin: `http://127.0.0.1:${port}`,
        close() {
          server.close();
          server.closeAllConnections();
        },
      });
    });
  });
}

/** What of playwright-core is used. Its own types come with the package, which only this check installs. */
/** @typedef {{ goto(url: string): Promise<unknown>, evaluate<T>(body: () => T): Promise<T>, on(event: string, listener: (value: { text?: () => string, type?: () => string, message?: string }) => void): void, screenshot(options: object): Promise<unknown>, click(selector: string): Promise<unknown>, fill(selector: string, text: string): Promise<unknown>, waitForSelector(selector: string): Promise<unknown>, setViewportSize(size: object): Promise<unknown>, emulateMedia(options: object): Promise<unknown>, close(): Promise<unknown> }} Page */
/** @typedef {{ newPage(): Promise<Page>, close(): Promise<void> }} Browser */

/** @returns {Promise<Browser | undefined>} */
async function launch() {
  const found = spawnSync('sh', ['-c', 'command -v chromium chromium-browser google-chrome'], { encoding: 'utf8' });
  const [executablePath = ''] = found.stdout.trim().split('\n');
  if (executablePath === '') return undefined;
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const tools = path.join(site, 'browser');
  mkdirSync(tools, { recursive: true });
  await npm(tools, ['install', ...flags, '--prefix', tools, 'playwright-core@1.65.1']);
  /** @type {unknown} */
  const loaded = createRequire(`${tools}/`)('playwright-core');
  const { chromium } = /** @type {{ chromium: { launch(options: object): Promise<Browser> } }} */ (loaded);
  return await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
}

/**
 * @param {Page} page
 * @param {string} origin
 * @param {string} address
 */
async function visit(page, origin, address) {
  await page.goto(`${origin}${address}`);
  return await page.evaluate(() => ({
    heading: document.querySelector('h1')?.textContent ?? '',
    ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
    links: [...document.querySelectorAll('a[href]')].map((link) => /** @type {HTMLAnchorElement} */ (link).href),
    broken: [...document.images]
      .filter(({ complete, naturalWidth }) => complete && naturalWidth === 0)
      .map(({ src }) => src),
  }));
}

/** @param {Page} page @param {string} origin */
async function takeScreenshots(page, origin) {
  const shots = path.join(site, 'shots');
  mkdirSync(shots, { recursive: true });
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [
      [1280, 900],
      [390, 844],
    ]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      for (const [name, address] of [
        ['start', '/'],
        ['queues', '/docs/queues'],
        ['api', '/api/'],
      ]) {
        await page.goto(`${origin}${address}`);
        await page.screenshot({ path: path.join(shots, `${name}-${colorScheme}-${width}.png`) });
      }
    }
  }
}

await main(async () => {
  await buildSite();
  const browser = await launch();
  if (browser === undefined) {
    console.log('There is no Chromium, so the pages were built and not opened');
    return;
  }
  const { origin, close } = await serve();
  const page = await browser.newPage();
  /** @type {string[]} */
  const failures = [];
  let passed = 0;
  page.on('pageerror', ({ message = '' }) => failures.push(message));
  const addresses = filesBelow(dist)
    .filter((file) => file.endsWith('.html') && file !== '404.html')
    .map((file) => `/${file.replace(/(^|\/)index\.html$/, '$1').replace(/\.html$/, '')}`);
  /** @type {Map<string, Set<string>>} */
  const anchors = new Map();
  /** @type {[string, string][]} */
  const links = [];
  for (const address of addresses) {
    const { heading, ids, links: found, broken } = await visit(page, origin, address);
    if (heading === '') failures.push(`${address} has no heading`);
    for (const image of broken) failures.push(`${address} has no image ${image}`);
    anchors.set(fileOf(address) ?? address, new Set(ids));
    links.push(...found.map((link) => /** @type {[string, string]} */ ([address, link])));
    passed += 1;
  }
  for (const [address, link] of links) {
    const url = new URL(link);
    if (url.origin !== origin) continue;
    const file = fileOf(url.pathname);
    const id = decodeURIComponent(url.hash.slice(1));
    if (file === undefined) failures.push(`${address} links to ${url.pathname}, which is not there`);
    else if (id !== '' && anchors.get(file)?.has(id) === false)
      failures.push(`${address} links to ${url.pathname}#${id}`);
  }
  await page.goto(`${origin}/`);
  await page.click('.DocSearch-Button, .VPNavBarSearch button');
  await page.fill('.VPLocalSearchBox input', 'task_done');
  await page.waitForSelector('.VPLocalSearchBox .result');
  passed += 1;
  await takeScreenshots(page, origin);
  await browser.close();
  close();
  const unique = [...new Set(failures)];
  reportCounts({ passed, failed: unique.length, skipped: 0, failures: unique, finished: true });
  if (unique.length > 0) throw new Error(unique.join('\n'));
  console.log(`site: ${addresses.length} pages render, ${links.length} links lead somewhere, the search finds`);
});
