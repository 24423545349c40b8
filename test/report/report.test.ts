/** Reports from results whose numbers are known. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Papa from 'papaparse';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import { logDomain, logTicks } from '../../src/report/axes.js';
import { renderReport, sectionsOf } from '../../src/report/report.js';
import { casesOf, parseResult, readResult } from '../../src/report/results.js';
import { summarise } from '../../src/report/summary.js';
import { resultFixture } from './fixture.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-report-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const HOSTILE = 'evil/"><script>alert(1)</script>|`*.esp';

describe('reading results', () => {
  it.each([
    [{ format: 'espalier-bench', version: 0 }, 'UNSUPPORTED_FORMAT', /version: expected 1.*older espalier/],
    [{ format: 'espalier-bench', version: 2 }, 'UNSUPPORTED_FORMAT', /version: expected 1.*newer espalier/],
    [{ format: 'espalier-bench', version: '1' }, 'UNSUPPORTED_FORMAT', /damaged/],
    [{ format: 'espalier-suites', version: 1 }, 'INVALID_DATA', /espalier-suites/],
    [[], 'INVALID_DATA', /expected a result/],
    [null, 'INVALID_DATA', /expected a result/],
    [{ ...resultFixture(), networks: [] }, 'INVALID_DATA', /networks/],
    [{ ...resultFixture(), emptyNodeRssBytes: -1 }, 'INVALID_DATA', /emptyNodeRssBytes/],
  ])('refuses %#', (value, code, message) => {
    let caught: unknown;
    try {
      parseResult(value);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(EspalierError);
    expect((caught as EspalierError).code).toBe(code);
    expect((caught as EspalierError).exitCode).toBe(2);
    expect((caught as EspalierError).message).toMatch(message);
  });

  it('names a file that is missing or no JSON', async () => {
    await expect(readResult(join(folder, 'none.json'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const broken = join(folder, 'broken.json');
    await writeFile(broken, '{"format": "espalier-be');
    await expect(readResult(broken)).rejects.toMatchObject({ code: 'INVALID_DATA' });
  });

  it('reads results of before layers and scenarios were told', () => {
    const result = JSON.parse(JSON.stringify(resultFixture())) as ReturnType<typeof resultFixture>;
    delete result.roofs;
    delete result.settings.scenarios;
    for (const network of result.networks) {
      delete network.layers;
      delete network.breakEven;
      delete network.accuracy;
      for (const rival of network.rivals) {
        delete rival.server;
        delete rival.offline;
      }
    }
    const read = parseResult(result);
    const ids = sectionsOf([read], casesOf([read])).map(({ id }) => id);
    expect(ids).toEqual(['speed-up', 'latency', 'sizes', 'memory', 'agreement', 'machine']);
  });
});

describe('the summary', () => {
  it('tells what was gained and what was lost', () => {
    // At 0.9: 2 µs and 80 µs; tfjs 200 and 600, onnxruntime 15 and 500.
    const { headline, figures, gained, lost, warnings } = summarise(casesOf([resultFixture()]));
    expect(headline).toMatch(/90 % zeros runs (9\d|10\d)(\.\d)?× as fast as tfjs-node predict at batch 1/);
    expect(headline).toContain('11 % of the dense bytes');
    expect(figures[0]).toMatchObject({ tone: 'gain' });
    expect(gained.join('\n')).toMatch(/onnxruntime-node/);
    expect(lost.join('\n')).toContain('RMSE 9.100 against 8.800 dense (+3.41 %)');
    expect(warnings.join('\n')).toContain('Keras (absent)');
  });

  it('says so where sparse loses, at other sparsities too', () => {
    // 0.5: 10 µs against 15; times 10 it is slower than onnxruntime: 100 µs; 0.9: 20 µs.
    const { headline, lost } = summarise(casesOf([resultFixture({ factor: 10 })]));
    expect(headline).toContain('tfjs-node');
    expect(lost.join('\n')).toMatch(/1\.3\d× slower at batch 1.* than onnxruntime-node/);
    expect(lost.join('\n')).toMatch(/50 % zeros: .*slower than onnxruntime-node at batch 1/);
  });

  it('warns of a noisy machine', () => {
    const { warnings } = summarise(casesOf([resultFixture({ loadNoisy: true })]));
    expect(warnings.join('\n')).toContain('Other work ran on the machine (1.8 busy cores before');
  });
});

describe('labels', () => {
  it('are unique, and name the model where there are several', () => {
    const labels = casesOf([
      resultFixture({ sparsities: [0.5, 0.5] }),
      resultFixture({ model: 'runs/dense/model.json', sparsities: [0] }),
    ]).map(({ label }) => label);
    expect(labels).toEqual(['flights, 50 % zeros', 'flights, 50 % zeros (2)', 'dense, 0 % zeros']);
  });
});

describe('formats', () => {
  it('HTML has every chart with its table, and nothing of a hostile name is markup', async () => {
    const result = resultFixture({ model: HOSTILE });
    const html = await renderReport([result]);
    const sections = sectionsOf([result], casesOf([result]));
    expect(sections.map(({ id }) => id)).toEqual([
      ...['speed-up', 'latency', 'scenarios', 'sizes', 'accuracy', 'layers', 'roofline', 'break-even'],
      ...['memory', 'agreement', 'machine'],
    ]);
    const charts = sections.flatMap((section) => section.charts);
    expect(charts.length).toBeGreaterThanOrEqual(11);
    expect(new Set(charts.map(({ id }) => id)).size).toBe(charts.length);
    // A wide one and one for phones each.
    expect(html.match(/<svg /g)?.length).toBe(2 * charts.length);
    for (const section of sections) expect(section.tables.some(({ rows }) => rows.length > 0)).toBe(true);
    expect(html).not.toMatch(/<script|NaN|undefined|javascript:/);
    expect(html).not.toMatch(/(?:src|href)="(?!#)/);
    expect(html).toContain('&lt;script&gt;');
  });

  it('rows of all tables are as long as their heads', () => {
    const result = resultFixture();
    for (const { tables } of sectionsOf([result], casesOf([result]))) {
      for (const { rows, columns } of tables) for (const row of rows) expect(row.length).toBe(columns.length);
    }
  });

  it('CSV holds the numbers themselves', async () => {
    const result = resultFixture();
    const csv = await renderReport([result], { format: 'csv' });
    const { data, errors } = Papa.parse<Record<string, string>>(csv.trim(), { header: true });
    expect(errors).toEqual([]);
    const [rival] = result.networks[1]!.rivals;
    const p50 = data.filter(
      ({ section, measure, labels }) =>
        section === 'latency' && measure === 'p50' && labels!.includes('90 % zeros; engine=espalier runSync'),
    );
    expect(p50.map(({ value, unit }) => [Number(value), unit])).toEqual(
      rival!.timings.map(({ p50: us }) => [us, 'µs']),
    );
  });

  it('CSV keeps formulas out of spreadsheets', async () => {
    const result = resultFixture({ sparsities: [0.5] });
    result.networks[0]!.rivals[1]!.name = '=cmd()';
    const csv = await renderReport([result], { format: 'csv' });
    expect(csv).not.toMatch(/(^|,)=cmd/m);
  });

  it('Markdown has tables that a name cannot break, and links the charts', async () => {
    const result = resultFixture({ model: HOSTILE });
    const output = join(folder, 'page.md');
    const markdown = await renderReport([result], {
      format: 'md',
      chartFolder: join(folder, 'charts'),
      output,
    });
    const tableLines = markdown.split('\n').filter((line) => line.startsWith('|'));
    expect(tableLines.length).toBeGreaterThan(50);
    expect(markdown).not.toContain('<script');
    expect(markdown).toMatch(/!\[Speed-up at batch 1[^\]]*\]\(charts\/speed-up-/);
    const files = await readdir(join(folder, 'charts'));
    const svg = await readFile(join(folder, 'charts', files[0]!), 'utf8');
    expect(svg).toContain('prefers-color-scheme:dark');
    expect(svg).toMatch(/^<svg[^>]* xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  });

  it('without charts needs no Vega and has no drawing', async () => {
    const html = await renderReport([resultFixture()], { charts: false });
    expect(html).not.toContain('<svg');
    expect(html).toContain('Speed-up');
  });

  it('refuses what it does not know', async () => {
    await expect(renderReport([])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(renderReport([resultFixture()], { format: 'pdf' as 'md' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});

describe('logarithmic axes', () => {
  it('have few round ticks inside the values', () => {
    expect(logTicks([1, 100])).toEqual([1, 2, 5, 10, 20, 50, 100]);
    expect(logTicks([0.3, 3e6]).length).toBeLessThanOrEqual(7);
    expect(logTicks([0, Number.NaN])).toEqual([1]);
    for (const tick of logTicks([0.02, 700])) expect(tick).toBeGreaterThan(0);
    const [low, high] = logDomain([2, 50]);
    expect(low).toBeLessThan(2);
    expect(high).toBeGreaterThan(50);
  });
});
