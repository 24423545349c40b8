/** The experiment's results as a Markdown table. */

function mean(values) {
  return values.reduce((sum, value) => sum + value / values.length, 0);
}

/** Sample standard deviation. */
function deviation(values) {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

/** "9.123 ± 0.045" over seeds; "9.123" for one. */
function spread(values, digits) {
  const text = mean(values).toFixed(digits);
  return values.length < 2 ? text : `${text} ± ${deviation(values).toFixed(digits)}`;
}

function signedPercent(values) {
  const percents = values.map((value) => (value - 1) * 100);
  const text = spread(percents, 2);
  return `${mean(percents) >= 0 ? '+' : ''}${text} %`;
}

function epochsOf({ epochs, warmUp }) {
  return warmUp === undefined ? `${epochs}` : warmUp === 0 ? `${epochs}` : `${epochs} + ${warmUp}`;
}

/** Rows of the table: the runs of one target sparsity, all seeds together. */
function groups(runs) {
  const byTarget = new Map();
  for (const run of runs) byTarget.set(run.target, [...(byTarget.get(run.target) ?? []), run]);
  return [...byTarget].sort(([a], [b]) => a - b).map(([, members]) => members);
}

const HEAD = [
  ...['sparsity', 'epochs', 'seeds', 'pred/true on 1,000', 'pred/true on all', 'RMSE', 'MAE', 'R²'],
  ...['RMSE to dense', 'pred/true to dense', 'dense weights, gzip -9', '.esp'],
];

function row(members) {
  const of = (pick, digits) => spread(members.map(pick), digits);
  const dense = members[0].comparison === undefined;
  const bytes = (pick) => Math.round(mean(members.map(pick))).toLocaleString('en-US');
  return [
    dense ? 'dense' : of(({ sparsity }) => sparsity, 3).replace(/ ± 0\.000$/, ''),
    epochsOf(members[0]),
    String(members.length),
    of(({ samples }) => samples.ratio.mean, 4),
    of(({ all }) => all.ratio.mean, 4),
    of(({ all }) => all.rmse, 3),
    of(({ all }) => all.mae, 3),
    of(({ all }) => all.r2, 4),
    dense ? '' : signedPercent(members.map(({ comparison }) => comparison.rmse.all)),
    dense ? '' : signedPercent(members.map(({ comparison }) => comparison.ratio.all)),
    bytes(({ sizes }) => sizes.dense.gzip),
    bytes(({ sizes }) => sizes.esp.raw),
  ];
}

/** The table with what one must know to read it. */
export function experimentTable({ runs, baseline, rows, heldOut, quick }) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(HEAD),
    line(HEAD.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...groups(runs).map((members) => line(row(members))),
    '',
    `${rows.toLocaleString('en-US')} flights, ${heldOut.toLocaleString('en-US')} of them on held-out days; air time in minutes; ` +
      `the mean per route has RMSE ${baseline.routeMeanRmse.toFixed(2)}. ± is the standard deviation over seeds; sizes in bytes.` +
      (quick ? ' Quick run: a tenth of the epochs.' : ''),
    '',
  ].join('\n');
}

const MARKS = ['<!-- experiment -->', '<!-- /experiment -->'];

/** The text with the table between its two marks. Throws where they are missing. */
export function replaceBetweenMarks(text, table) {
  const [from, to] = MARKS.map((mark) => text.indexOf(mark));
  if (from < 0 || to < from) throw new Error(`README.md: expected the lines ${MARKS.join(' and ')}`);
  return `${text.slice(0, from + MARKS[0].length)}\n\n${table}\n${text.slice(to)}`;
}
