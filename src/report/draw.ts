/** Charts as SVG text: Vega-Lite on this side, no browser and no network. Vega is an optional peer, loaded when needed. */
import type { Config, TopLevelSpec } from 'vega-lite';
import { EspalierError } from '../errors.js';
import { colour, colourRules } from './palette.js';
import type { Chart } from './section.js';

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';

const CONFIG: Config = {
  background: 'transparent',
  aria: false,
  font: FONT,
  padding: 4,
  view: { stroke: null },
  axis: {
    labelColor: colour('ink'),
    titleColor: colour('soft'),
    gridColor: colour('line'),
    domainColor: colour('soft'),
    tickColor: colour('soft'),
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    labelLimit: 220,
  },
  header: {
    labelColor: colour('ink'),
    titleColor: colour('soft'),
    labelFontSize: 12,
    labelFontWeight: 'bold',
  },
  legend: {
    labelColor: colour('ink'),
    titleColor: colour('soft'),
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    orient: 'top',
    labelLimit: 260,
    symbolSize: 80,
  },
  text: { color: colour('ink'), fontSize: 11 },
};

export interface Drawing {
  width: number;
  height: number;
  /** An <svg> whose colours are the page's variables. */
  svg: string;
}

export type Draw = (chart: Chart, width: number) => Promise<Drawing>;

/** Loads Vega once. Throws TOOL_MISSING with the command that installs it. */
export async function loadDraw(): Promise<Draw> {
  let vega: typeof import('vega');
  let lite: typeof import('vega-lite');
  try {
    [vega, lite] = await Promise.all([import('vega'), import('vega-lite')]);
  } catch (cause) {
    throw new EspalierError(
      'TOOL_MISSING',
      'charts are drawn by vega and vega-lite, which are not installed: npm install vega@6 vega-lite@6 (or --no-charts for tables alone)',
      { parameter: 'vega' },
      cause,
    );
  }
  let drawn = 0;
  return async (chart, width) => {
    const { spec } = lite.compile(chart.spec(width) as TopLevelSpec, { config: CONFIG });
    const view = new vega.View(vega.parse(spec), { renderer: 'none', logLevel: vega.Error });
    try {
      const raw = await view.toSVG();
      const [, w = '0', h = '0'] = /<svg[^>]*? width="([\d.]+)" height="([\d.]+)"/.exec(raw) ?? [];
      // Ids of clips and gradients start anew in each drawing: in one page they must differ.
      const prefix = `g${drawn++}-`;
      const svg = raw
        .replaceAll(/ id="([^"]+)"/g, ` id="${prefix}$1"`)
        .replaceAll(/url\(#([^)]+)\)/g, `url(#${prefix}$1)`)
        // The whole drawing is one image with one description: roles of its parts would only be read aloud.
        .replaceAll(/ (?:role|aria-[a-z]+)="[^"]*"/g, '')
        .replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', '')
        .replace(/<svg([^>]*?) width="[\d.]+" height="[\d.]+"/, '<svg$1');
      return { width: Number(w), height: Number(h), svg };
    } finally {
      view.finalize();
    }
  };
}

/** A drawing as a file of its own: size, a title, both sets of colours. */
export function standalone({ svg, width, height }: Drawing, chart: Chart): string {
  const style = `${colourRules('svg')}svg{background:var(--paper)}`;
  const title = `<title>${escape(`${chart.title}. ${chart.description}`)}</title>`;
  return `${svg.replace(
    /<svg([^>]*)>/,
    (_, attributes: string) =>
      `<svg${attributes} width="${width}" height="${height}" role="img">${title}<style>${style}</style>`,
  )}\n`;
}

/** Text for HTML and XML: names of models and engines are not ours. */
export const escape = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
