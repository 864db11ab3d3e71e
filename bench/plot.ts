// SPDX-License-Identifier: MIT
//
// Horizontal bar charts as SVG, without a library: one panel per workload, one bar per peer, and a whisker for the
// quartiles.
import { lookupIn } from './figures.js';
import { machineLines, type Machine } from './machine.js';
import { formatMicros } from './report.js';
import { summarize } from './statistics.js';
import type { SuiteResult } from './suite.js';
import type { Trial } from './trials/trial.js';
import type { Workload } from './workloads.js';

const width = 860;
const labelWidth = 240;
const valueWidth = 90;
const rowHeight = 22;
const barHeight = 14;
const headHeight = 66;
const panelHeadHeight = 40;
const barSpace = width - labelWidth - valueWidth;

// With its own background, the text is readable on a dark page.
const style = `text { font: 13px system-ui, sans-serif; fill: #1f2933 } .title { font-size: 18px; font-weight: 600 }
.note { font-size: 11px; fill: #52606d } .panel { font-weight: 600 } .bar { fill: #b5bfca } .ours { fill: #2a6fbb }
.c { fill: #3e4c59 } .whisker { stroke: #1f2933; stroke-width: 1 }`;

interface Bar {
  readonly trial: Trial;
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

function escape(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escape(content)}</text>`;
}

function barClass({ id }: Trial): string {
  if (/^(sync|spin|async)\//.test(id)) return 'bar ours';
  return id.startsWith('c/') ? 'bar c' : 'bar';
}

function drawBar(bar: Bar, top: number, longest: number): string[] {
  const at = (micros: number): number => Math.round(labelWidth + (micros / longest) * barSpace);
  const middle = top + rowHeight / 2;
  const end = at(bar.median);
  const [from, to] = [at(bar.lowerQuartile), at(bar.upperQuartile)];
  return [
    text(labelWidth - 8, middle + 4, bar.trial.label, 'text-anchor="end"'),
    `<rect class="${barClass(bar.trial)}" x="${labelWidth}" y="${middle - barHeight / 2}" width="${Math.max(1, end - labelWidth)}" height="${barHeight}"/>`,
    `<path class="whisker" d="M${from} ${middle}H${to}M${from} ${middle - 3}v6M${to} ${middle - 3}v6"/>`,
    text(Math.max(end, to) + 6, middle + 4, formatMicros(bar.median)),
  ];
}

function drawPanel(workload: Workload, bars: readonly Bar[], top: number): string[] {
  const longest = Math.max(...bars.map((bar) => Math.max(bar.median, bar.upperQuartile)));
  const unit = workload.mode === 'one-way' ? 'microseconds per message' : 'microseconds';
  return [
    text(16, top + 26, `${workload.title} (${unit}, shorter is better)`, 'class="panel"'),
    ...bars.flatMap((bar, i) => drawBar(bar, top + panelHeadHeight + i * rowHeight, longest)),
  ];
}

/** Draws the given workloads, one below the other. */
export function drawChart(
  title: string,
  workloads: readonly Workload[],
  trials: readonly Trial[],
  result: SuiteResult,
  machine: Machine,
): string {
  const lookup = lookupIn(result.measurements);
  const body: string[] = [];
  let top = headHeight;
  for (const workload of workloads) {
    const bars = trials.flatMap((trial) => {
      const micros = lookup(workload.id, trial.id);
      return micros ? [{ trial, ...summarize(micros) }] : [];
    });
    if (bars.length === 0) continue;
    body.push(...drawPanel(workload, bars, top));
    top += panelHeadHeight + bars.length * rowHeight;
  }
  const height = top + 16;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(title)}</title><style>${style}</style><rect width="${width}" height="${height}" fill="#fff"/>`,
    text(16, 26, title, 'class="title"'),
    ...machineLines(machine).map((line, i) => text(16, 44 + i * 15, line, 'class="note"')),
    ...body,
    '</svg>',
    '',
  ].join('\n');
}
