// SPDX-License-Identifier: MIT
//
// Builds the site of the documentation from docs/, the other pages, and the comments in lib/. The tools for it are installed into
// out/site/, since nothing else needs them.
//
//   node scripts/docs/site.mjs [--serve [port]]
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { npm } from '../package.mjs';
import { filesBelow, main, root, run } from '../support.mjs';

const TOOLS = ['vitepress@1.6.4', 'typedoc-plugin-markdown@4.14.1', 'typedoc@0.28.20', 'typescript@6.0.3'];

/** The folder of the tools, of the pages in `pages`, and of the site in `dist`. */
export const site = path.join(root, 'out', 'site');
const pages = path.join(site, 'pages');

/** The sections of the sidebar: the titles of pages are the headings in them. */
const SECTIONS = {
  Start: ['README.md', 'docs/examples.md', 'docs/coming-from.md', 'docs/platforms.md'],
  Guides: [
    ...['connections', 'processes', 'queues', 'pool', 'locks', 'shared-memory', 'python', 'listener'],
    ...['beyond-one-machine', 'managers'],
  ].map((name) => `docs/${name}.md`),
  'Other languages': ['interop/c/README.md', 'interop/python/README.md'],
  Deployment: [
    'docs/bundlers.md',
    'docs/containers.md',
    'docs/command-line.md',
    'docs/troubleshooting.md',
    'docs/errors.md',
  ],
  Measured: [
    'docs/performance.md',
    'docs/benchmarks.md',
    'bench/README.md',
    'bench/busy-machine.md',
    'docs/reliability.md',
  ],
  Project: ['CHANGELOG.md', 'SECURITY.md', 'CONTRIBUTING.md', 'docs/wire-format.md', 'docs/internals.md'],
};

/** @param {string} page */
function titleOf(page) {
  return /^# (.*)$/m.exec(readFileSync(path.join(root, page), 'utf8'))?.[1]?.replaceAll('`', '') ?? page;
}

/** @param {string} page */
function addressOf(page) {
  return `/${page.replace(/README\.md$/, '').replace(/\.md$/, '')}`;
}

/** All pages that are not made from comments. Those that no section names come last, so that none is forgotten. */
function sidebar() {
  const listed = new Set(Object.values(SECTIONS).flat());
  const more = filesBelow(path.join(root, 'docs'))
    .map((name) => `docs/${name}`)
    .filter((page) => page.endsWith('.md') && !listed.has(page));
  const api = {
    text: 'API',
    items: [
      { text: 'Overview', link: '/docs/api' },
      { text: 'All symbols', link: '/api/' },
    ],
  };
  const others = more.filter((page) => page !== 'docs/api.md');
  const sections = { ...SECTIONS, ...(others.length > 0 ? { More: others } : {}) };
  const items = (/** @type {string[]} */ list) => list.map((page) => ({ text: titleOf(page), link: addressOf(page) }));
  return [...Object.entries(sections).map(([text, list]) => ({ text, items: items(list) })), api];
}

/** Copies a page. Links to files that are no pages lead to copies of these files. */
function copyPages() {
  const all = [
    ...new Set([...Object.values(SECTIONS).flat(), ...filesBelow(path.join(root, 'docs')).map((f) => `docs/${f}`)]),
  ];
  for (const page of all) {
    const target = path.join(pages, page.replace(/README\.md$/, 'index.md'));
    mkdirSync(path.dirname(target), { recursive: true });
    if (!page.endsWith('.md')) {
      cpSync(path.join(root, page), target);
      continue;
    }
    const text = readFileSync(path.join(root, page), 'utf8').replaceAll(
      /\]\(([^)\s#]+)(#[^)\s]*)?\)/g,
      (/** @type {string} */ whole, /** @type {string} */ link, anchor = '') => {
        const file = path.join(path.dirname(page), link);
        if (link.endsWith('.md')) return `](${link.replace(/README\.md$/, 'index.md')}${anchor})`;
        if (/^https?:|\.svg$/.test(link) || !existsSync(path.join(root, file))) return whole;
        cpSync(path.join(root, file), path.join(pages, 'public', 'files', `${file}.txt`));
        return `](/files/${file}.txt)`;
      },
    );
    writeFileSync(target, text);
  }
}

/** GitHub's names for headings, to which the pages link. */
const SLUGIFY = `(text) => text.toLowerCase().replaceAll(/[^\\p{L}\\p{N}\\- _]/gu, '').replaceAll(' ', '-')`;

/** Most lines of the examples fit into the column, and more of the tables on a telephone, so that they need not be scrolled. */
const STYLE = `:root { --vp-code-font-size: 0.8125em; }
.VPDoc.has-aside .content-container { max-width: 820px !important; }
@media (max-width: 640px) { .vp-doc th, .vp-doc td { padding: 6px 8px; } }`;

function writeConfiguration() {
  const theme = { sidebar: sidebar(), search: { provider: 'local' }, outline: [2, 3] };
  const text = `export default {
  title: 'node-multiprocessing',
  description: "CPython's multiprocessing for Node.js",
  ignoreDeadLinks: [/^\\/files\\//],
  markdown: { anchor: { slugify: ${SLUGIFY} } },
  outDir: '../dist',
  head: [['style', {}, ${JSON.stringify(STYLE)}]],
  themeConfig: ${JSON.stringify(theme)},
};\n`;
  mkdirSync(path.join(pages, '.vitepress'), { recursive: true });
  writeFileSync(path.join(pages, '.vitepress', 'config.mjs'), text);
}

/** @param {string} script @param {readonly string[]} args @param {string} cwd */
function runSiteTool(script, args, cwd) {
  return run(process.execPath, [path.join(site, 'node_modules', script), ...args], { cwd });
}

export async function buildSite() {
  mkdirSync(site, { recursive: true });
  const manifest = path.join(site, 'package.json');
  const wanted = JSON.stringify({ private: true, type: 'module', description: TOOLS.join(' ') });
  if (!existsSync(manifest) || !readFileSync(manifest, 'utf8').includes(TOOLS.join(' '))) {
    writeFileSync(manifest, wanted);
    const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
    await npm(site, ['install', ...flags, ...TOOLS]);
  }
  rmSync(pages, { recursive: true, force: true });
  copyPages();
  const out = path.join(pages, 'api');
  const plugin = path.join(site, 'node_modules', 'typedoc-plugin-markdown', 'dist', 'index.js');
  const options = [
    '--plugin',
    plugin,
    '--out',
    out,
    '--entryFileName',
    'index',
    '--hideBreadcrumbs',
    'true',
    '--hidePageHeader',
    'true',
  ];
  await runSiteTool(
    'typedoc/bin/typedoc',
    [...options, '--treatWarningsAsErrors', 'false', '--treatValidationWarningsAsErrors', 'false'],
    root,
  );
  writeConfiguration();
  await runSiteTool('vitepress/bin/vitepress.js', ['build', pages], site);
}

if (process.argv[1] === import.meta.filename) {
  await main(async () => {
    await buildSite();
    const [, port = '4173'] = process.argv.slice(process.argv.indexOf('--serve'));
    if (process.argv.includes('--serve')) {
      await runSiteTool('vitepress/bin/vitepress.js', ['preview', pages, '--port', port], site);
    }
  });
}
