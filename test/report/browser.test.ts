/**
 * The page in a real browser: charts are drawn, nothing is fetched, it fits a phone, and axe finds no fault. Needs
 * Chromium (Debian: apt-get install chromium); without it skipped by name, in CI a failure.
 */
import { readFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { which } from '../../install/tools.mjs';
import { renderReport } from '../../src/report/report.js';
import { resultFixture } from './fixture.js';

const CHROMIUM = [
  process.env['ESPALIER_CHROMIUM'],
  ...['chromium', 'chromium-browser', 'google-chrome'].map((name) => which(name)),
].find((path) => path !== undefined && existsSync(path));

if (CHROMIUM === undefined && process.env['CI'] !== 'true')
  console.warn('skipped: no Chromium here: apt-get install chromium');

interface Found {
  violations: { id: string; nodes: { html: string }[] }[];
}

describe.skipIf(CHROMIUM === undefined && process.env['CI'] !== 'true')('the page in Chromium', () => {
  let folder: string;
  let browser: Browser;
  let page: Page;
  const requests: string[] = [];
  const complaints: string[] = [];
  beforeAll(async () => {
    if (CHROMIUM === undefined) throw new Error('CI needs Chromium: apt-get install chromium');
    folder = await mkdtemp(join(tmpdir(), 'espalier-page-'));
    const file = join(folder, 'report.html');
    await writeFile(
      file,
      await renderReport([
        resultFixture(),
        resultFixture({ model: 'a/</title><b>.esp', sparsities: [0.75] }),
      ]),
    );
    browser = await puppeteer.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
      userDataDir: join(folder, 'profile'),
    });
    page = await browser.newPage();
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => complaints.push(message.text()));
    await page.goto(pathToFileURL(file).href);
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const show = async (width: number, scheme: 'light' | 'dark') => {
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  };
  const visibleCharts = () =>
    page.$$eval('figure', (figures) =>
      figures.map((figure) => {
        const shown = [...figure.querySelectorAll('svg')].filter(
          (svg) => svg.getBoundingClientRect().width > 0,
        );
        const box = shown[0]?.getBoundingClientRect();
        return {
          id: figure.id,
          shown: shown.length,
          width: box?.width ?? 0,
          height: box?.height ?? 0,
          marks: shown[0]?.querySelectorAll('path, line, text').length ?? 0,
        };
      }),
    );

  it('asks for nothing but itself, and complains of nothing', () => {
    expect(requests.length).toBe(1);
    expect(requests[0]).toMatch(/^file:.*report\.html$/);
    expect(complaints).toEqual([]);
  });

  it.each([
    [1280, 'light'],
    [390, 'dark'],
    [320, 'light'],
  ] as const)('shows each chart once and fits %i pixels, %s', async (width, scheme) => {
    await show(width, scheme);
    const charts = await visibleCharts();
    expect(charts.length).toBeGreaterThan(12);
    for (const chart of charts) {
      expect(chart.shown, chart.id).toBe(1);
      expect(chart.marks, chart.id).toBeGreaterThan(8);
      expect(chart.width, chart.id).toBeGreaterThan(150);
      expect(chart.width, chart.id).toBeLessThanOrEqual(width);
      expect(chart.height, chart.id).toBeGreaterThan(40);
    }
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
  });

  it.each([
    [1280, 'light'],
    [390, 'dark'],
  ] as const)(
    'axe finds no fault at %i pixels, %s',
    async (width, scheme) => {
      await show(width, scheme);
      await page.$$eval('details', (all) => all.forEach((one) => (one.open = true)));
      // The page's own policy keeps scripts out: axe comes in by the debugger.
      const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
      await page.evaluate(axe);
      const { violations } = (await page.evaluate('axe.run(document)')) as Found;
      expect(violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([]);
    },
    180_000,
  );

  it('prints light, without the phone drawings', async () => {
    await show(1280, 'dark');
    await page.emulateMediaType('print');
    const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    expect(background).toBe('rgb(255, 255, 255)');
    expect((await visibleCharts()).every(({ shown }) => shown === 1)).toBe(true);
    const pdf = await page.pdf({ format: 'A4' });
    expect(Buffer.from(pdf.subarray(0, 5)).toString()).toBe('%PDF-');
    await page.emulateMediaType(undefined);
  });
});
