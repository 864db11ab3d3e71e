// SPDX-License-Identifier: MIT
//
// Horizontal bar charts as SVG, in the colours of a light and of a dark page: one panel per workload, one bar per peer.
import { lookupIn } from './figures.js';
import { installed, loadInstalled } from './paths.js';
import { machineLines, type Machine } from './machine.js';
import { formatMicros } from './report.js';
import { median } from './statistics.js';
import type { SuiteResult } from './suite.js';
import type { Trial } from './trials/trial.js';
import type { Workload } from './workloads.js';

type Theme = 'light' | 'dark';

/** What is used of echarts. */
interface Charts {
  init(dom: null, theme: null, options: { renderer: 'svg'; ssr: true; width: number; height: number }): Chart;
}

interface Chart {
  setOption(option: object): void;
  renderToSVGString(): string;
  dispose(): void;
}

interface Colours {
  readonly background: string;
  readonly text: string;
  readonly note: string;
  readonly ours: string;
  readonly c: string;
  readonly others: string;
}

const WIDTH = 860;
const LABELS = 300;
const VALUES = 70;
const ROW = 22;
const HEAD = 66;
const PANEL_HEAD = 44;
const FONT = 'system-ui, sans-serif';

const themes: Readonly<Record<Theme, Colours>> = {
  light: { background: '#fff', text: '#1f2933', note: '#52606d', ours: '#2a6fbb', c: '#3e4c59', others: '#b5bfca' },
  dark: { background: '#0d1117', text: '#e6edf3', note: '#9198a1', ours: '#58a6ff', c: '#b1bac4', others: '#484f58' },
};

/** Why no charts can be drawn; undefined if they can. */
export function whyNoCharts(): string | undefined {
  return installed('echarts') === undefined ? 'charts: not installed: npm run bench:install' : undefined;
}

function colourOf({ label, id }: Trial, colours: Colours): string {
  if (label.startsWith('ours')) return colours.ours;
  return id.startsWith('c/') || id.startsWith('c-large/') ? colours.c : colours.others;
}

/** One panel: its place, its axes, and its bars, of which the first one is to be on top. */
function panel(workload: Workload, bars: readonly Bar[], index: number, top: number, colours: Colours): object[] {
  const labels = { color: colours.text, fontFamily: FONT, fontSize: 13 };
  const unit = workload.mode === 'one-way' ? 'microseconds per message' : 'microseconds';
  return [
    { text: `${workload.title} (${unit}, shorter is better)`, left: 16, top: top + 14, textStyle: { ...labels } },
    { left: LABELS, right: VALUES, top: top + PANEL_HEAD, height: bars.length * ROW },
    { type: 'value', gridIndex: index, show: false },
    {
      type: 'category',
      gridIndex: index,
      inverse: true,
      data: bars.map(({ trial }) => trial.label),
      axisLabel: { ...labels, interval: 0 },
      axisLine: { show: false },
      axisTick: { show: false },
    },
    {
      type: 'bar',
      xAxisIndex: index,
      yAxisIndex: index,
      barWidth: 14,
      data: bars.map(({ trial, micros }) => ({
        value: micros,
        itemStyle: { color: colourOf(trial, colours) },
        label: { show: true, position: 'right', formatter: formatMicros(micros), ...labels },
      })),
    },
  ];
}

interface Bar {
  readonly trial: Trial;
  readonly micros: number;
}

/** Shows the part that suits the page. */
const STYLE = '.dark{display:none}@media(prefers-color-scheme:dark){.light{display:none}.dark{display:inline}}';

/** Draws the given workloads, one below the other. Ours have one colour. */
export function drawChart(
  title: string,
  workloads: readonly Workload[],
  trials: readonly Trial[],
  result: SuiteResult,
  machine: Machine,
): string {
  const lookup = lookupIn(result.measurements);
  const rows = workloads.map((workload) => ({
    workload,
    bars: trials.flatMap((trial) => {
      const micros = lookup(workload.id, trial.id);
      return micros ? [{ trial, micros: median(micros) }] : [];
    }),
  }));
  const panels = rows.filter(({ bars }) => bars.length > 0);
  const height = panels.reduce((sum, { bars }) => sum + PANEL_HEAD + bars.length * ROW, HEAD + 16);
  const head = { title, note: machineLines(machine).join('\n') };
  const parts = (['light', 'dark'] as const).map(
    (theme) => `<g class="${theme}">${drawTheme(head, panels, height, themes[theme])}</g>`,
  );
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img"><style>${STYLE}</style>${parts.join('')}</svg>\n`;
}

function drawTheme(
  { title, note }: { readonly title: string; readonly note: string },
  panels: readonly { readonly workload: Workload; readonly bars: readonly Bar[] }[],
  height: number,
  colours: Colours,
): string {
  const { init } = loadInstalled('echarts') as Charts;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  const heading = {
    text: title,
    subtext: note,
    left: 16,
    top: 8,
    itemGap: 4,
    textStyle: { color: colours.text, fontFamily: FONT, fontSize: 18 },
    subtextStyle: { color: colours.note, fontFamily: FONT, fontSize: 11 },
  };
  let top = HEAD;
  const drawn = panels.map(({ workload, bars }, i) => {
    const parts = panel(workload, bars, i, top, colours);
    top += PANEL_HEAD + bars.length * ROW;
    return parts;
  });
  const part = (index: number): object[] => drawn.map((each) => each[index] ?? {});
  chart.setOption({
    animation: false,
    backgroundColor: colours.background,
    title: [heading, ...part(0)],
    grid: part(1),
    xAxis: part(2),
    yAxis: part(3),
    series: part(4),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
