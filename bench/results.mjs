/**
 * `npm run results`, after `npm run build`: from what `espalier bench --json` wrote into docs/results/data/STUDY/*.json the
 * Markdown pages of docs/results, the table and the chart of README, and in runs/reports, which git ignores, a page with
 * charts for each study. Nothing is measured here.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadDraw, standalone } from '../dist/report/draw.js';
import { reportFiles } from '../dist/report/report.js';
import { casesOf, readResult } from '../dist/report/results.js';
import { sizes } from '../dist/report/sections/footprint.js';
import { times } from '../dist/report/sections/timing.js';
import { time } from '../dist/measure/table.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const results = join(root, 'docs', 'results');
// Drawn anew in seconds: six megabytes that a clone need not carry.
const drawn = join(root, 'runs', 'reports');
const TITLES = {
  flights: 'Flights: dense and pruned to 0.3, 0.5, 0.75 and 0.9',
  'lenet-300-100': 'LeNet-300-100 on digits',
  'mlp-784-1024-1024-10': '784-1024-1024-10, zeros in one shot',
  'mlp-16-64-32-32-5': '16-64-32-32-5, zeros in one shot',
  mobilenetv1: 'MobileNetV1 1.0 224, random weights, 1×1 convolutions pruned in one shot',
  mobilenetv2: 'MobileNetV2 224 of npm nsfwjs, zeros in one shot',
  vgg32: 'A VGG-like network on 32×32, random weights, all layers pruned in one shot',
  resnet50: 'ResNet50 224, random weights, convolutions pruned in one shot',
};
const CORE = [
  ['espalier', 'p50'],
  ['tfjs-node', 'tfjs-node'],
  ['onnxruntime', 'onnxruntime'],
  ['espalier-dense', 'own dense'],
];

const studies = readdirSync(join(results, 'data')).sort();
const filesOf = (study) =>
  readdirSync(join(results, 'data', study))
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(results, 'data', study, name));

/** A line of README's table. */
function coreLine(study, { network, result }, batch) {
  const of = (id) =>
    network.rivals.find((rival) => rival.id === id)?.timings.find((timing) => timing.batch === batch);
  const own = of('espalier');
  // A front page has no room for a figure to be explained away: the study's own page tells it, marked.
  if (own === undefined || own.noisy) return undefined;
  const ratio = (id) => {
    const timing = of(id);
    if (timing?.vsEspalier == null) return '';
    return `${timing.noisy ? '~ ' : ''}${times(timing.vsEspalier.ratio)}`;
  };
  const { esp, dense } = network.sizes;
  return [
    `[${study}](docs/results/${study}.md)${network.imposed === null ? '' : ' (zeros in one shot)'}`,
    network.sparsity.toFixed(2),
    String(batch),
    time(own.p50),
    ...CORE.slice(1).map(([id]) => ratio(id)),
    `${((100 * esp.raw) / dense.raw).toFixed(1)} %`,
    result.load.noisy ? 'busy' : 'quiet',
  ];
}

const lines = [];
rmSync(drawn, { recursive: true, force: true });
mkdirSync(drawn, { recursive: true });
for (const study of studies) {
  const files = filesOf(study);
  const title = TITLES[study] ?? study;
  writeFileSync(
    join(results, `${study}.md`),
    await reportFiles(files, { format: 'md', title, charts: false }),
  );
  const output = join(drawn, `${study}.html`);
  const chartFolder = join(drawn, 'charts', study);
  writeFileSync(output, await reportFiles(files, { format: 'html', title, output, chartFolder }));
  const loaded = [];
  for (const file of files) loaded.push(await readResult(file));
  for (const one of casesOf(loaded)) {
    for (const batch of one.result.settings.batches) {
      const line = coreLine(study, one, batch);
      if (line !== undefined) lines.push(line);
    }
  }
  console.log(`${study}: ${files.length} results`);
}

const table = (rows, head) =>
  [head, head.map((_, at) => (at === 0 ? '---' : '---:')), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
const head = [
  'network',
  'zeros',
  'batch',
  'espalier',
  'tfjs-node',
  'onnxruntime',
  'own dense',
  '.esp / dense',
  'machine',
];
const index = [
  '# Results',
  '',
  'Reports of `espalier report` on what `espalier bench` measured; each page names the machine and the command of every',
  'figure, and `data` holds the numbers. `npm run bench:results` measures them again. After',
  '`npm run build`, `npm run results` makes these pages from `data`, and pages with charts in `runs/reports`.',
  '',
  ...studies.map((study) => `- ${TITLES[study] ?? study}: [tables](${study}.md), [data](data/${study})`),
  ...(existsSync(join(results, 'flights.json'))
    ? ['- The experiment of README, three seeds: [flights.json](flights.json), by `npm run experiment`']
    : []),
  '',
];
writeFileSync(join(results, 'README.md'), index.join('\n'));

// README: pruned networks alone, and the chart of the flights at batch 1.
const core = lines.filter(([, sparsity]) => Number(sparsity) >= 0.29);
const flights = filesOf('flights');
const loaded = [];
for (const file of flights) loaded.push(await readResult(file));
// One model to its chart, whatever its files are called: the lines run over sparsity.
const cases = casesOf(loaded).map((one) => ({ ...one, model: 'flights' }));
// Bytes are the same however busy the machine is.
const [chart] = sizes(cases.filter(({ network }) => network.sparsity > 0.1)).charts;
mkdirSync(join(results, 'charts'), { recursive: true });
if (chart !== undefined) {
  const draw = await loadDraw();
  const shown = { ...chart, title: 'Flights: bytes of the weights' };
  writeFileSync(join(results, 'charts', 'readme.svg'), standalone(await draw(shown, 620), shown));
}
const text = [
  '',
  table(core, head),
  '',
  'Time of one call (median), and the time of the others over it; "~": its rounds lie more than 10 % apart, the page has its',
  'confidence interval; "busy": others were computing meanwhile. One thread on one pinned core. Rows whose own time is noisy',
  'are left out here. Made by `npm run bench:results`; the pages of [docs/results](docs/results/README.md) have the commands.',
  '',
  '![Flights pruned to 0.3, 0.5, 0.75 and 0.9: bytes of the weights dense, stripped and as .esp, raw and after gzip -9](docs/results/charts/readme.svg)',
  '',
].join('\n');
const readme = join(root, 'README.md');
const before = readFileSync(readme, 'utf8');
const [open, close] = ['<!-- results -->', '<!-- /results -->'];
if (!before.includes(open) || !before.includes(close)) throw new Error(`README.md lacks ${open} … ${close}`);
writeFileSync(
  readme,
  before.slice(0, before.indexOf(open) + open.length) + `\n${text}\n` + before.slice(before.indexOf(close)),
);
console.log('README.md has the table');
