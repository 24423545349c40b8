/** Turns of the candidates, and what they tell. */
export const quantile = (values, q) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * q)];

/** Microseconds a call, of so many calls in a row. */
async function microseconds(candidate, calls) {
  if (candidate.microseconds !== undefined) return candidate.microseconds(calls);
  const begin = performance.now();
  for (let i = 0; i < calls; i++) {
    const pending = candidate.call();
    if (pending !== undefined) await pending;
  }
  return ((performance.now() - begin) * 1000) / calls;
}

/** Gives each candidate its `rounds`: microseconds a call in each of them. Six calls first, of each, that do not count. */
export async function race(candidates, rounds, milliseconds) {
  for (const candidate of candidates) {
    await microseconds(candidate, 6);
    candidate.calls = Math.max(1, Math.round((milliseconds * 1000) / (await microseconds(candidate, 2))));
    candidate.rounds = [];
  }
  for (let round = 0; round < rounds; round++) {
    for (const candidate of candidates) {
      // The others took the caches.
      if (!candidate.cold) await microseconds(candidate, 2);
      candidate.rounds.push(await microseconds(candidate, candidate.calls));
    }
  }
}

const spread = ({ rounds }) => ({
  us: quantile(rounds, 0.1),
  p50: quantile(rounds, 0.5),
  p90: quantile(rounds, 0.9),
});

/**
 * Completes a cell { rows, cols, batch, … } of a layer with the figures of its candidates, the first `dense` of which are
 * dense and the first of all our own, and says them. `sparsity` of each of the others tells the work that is left.
 */
export function report(cell, candidates, dense, peak) {
  const decile = ({ rounds }) => quantile(rounds, 0.1);
  const best = candidates.slice(0, dense).reduce((a, b) => (decile(b) < decile(a) ? b : a));
  cell.dense = candidates.slice(0, dense).map((candidate) => ({
    name: candidate.name,
    ...(candidate.implementation === undefined ? {} : { implementation: candidate.implementation }),
    ...spread(candidate),
  }));
  cell.best = best.name;
  cell.ownDenseOverBestRival =
    dense > 1 ? Math.min(...candidates.slice(1, dense).map(decile)) / decile(candidates[0]) : undefined;
  cell.sparse = candidates.slice(dense).map((candidate) => ({
    sparsity: candidate.sparsity,
    ...(candidate.name === `${candidate.sparsity}` ? {} : { name: candidate.name }),
    ...spread(candidate),
    overBestDense: decile(best) / decile(candidate),
    overOwnDense: decile(candidates[0]) / decile(candidate),
    layout: candidate.layout,
    bytes: candidate.bytes,
  }));
  const work = 2 * cell.rows * cell.cols * cell.batch;
  const percent = (share) => (share === undefined ? '' : `, ${Math.round(100 * share)} % of FMA peak`);
  if (peak !== undefined) {
    cell.denseShareOfPeak = work / cell.dense[0].us / 1e3 / peak.fmaGflops;
    for (const result of cell.sparse) {
      result.shareOfPeak = (work * (1 - result.sparsity)) / result.us / 1e3 / peak.fmaGflops;
      result.gigabytesPerSecond = result.bytes / result.us / 1e3;
    }
  }
  console.log(
    `${cell.title ?? `${cell.rows}x${cell.cols}`} batch ${cell.batch}${cell.cold ? ' cold' : ''}: ` +
      cell.dense.map(({ name, us }) => `${name} ${us.toFixed(1)} µs`).join(', ') +
      percent(cell.denseShareOfPeak),
  );
  for (const { name, sparsity, us, overBestDense, overOwnDense, layout, shareOfPeak } of cell.sparse) {
    console.log(
      `    ${name ?? sparsity}: ${us.toFixed(1)} µs, ${overBestDense.toFixed(2)}× the best dense (${best.name}), ` +
        `${overOwnDense.toFixed(2)}× our dense, ${layout}${percent(shareOfPeak)}`,
    );
  }
  return cell;
}
