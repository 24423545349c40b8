/** A plan as text: the schedule as a small chart, the layers, the traps; and a scan as a table. */
import Table from 'cli-table3';
import { drawSchedule, planSchedule } from '../prune/schedule/timeline.js';
import type { SensitivityReport } from '../prune/one-shot/sensitivity.js';
import type { PruningPlan } from '../recipe/planned.js';

/** Every character of a table's frame is left out; columns are two spaces apart. */
const FRAMELESS = {
  ...Object.fromEntries(
    ['top', 'bottom', 'mid', 'left', 'right'].flatMap((side) =>
      [side, `${side}-mid`, `${side}-left`, `${side}-right`].map((name) => [name, '']),
    ),
  ),
  middle: '  ',
};

/** Rows without a frame, the first column to the left and the others to the right. */
export function framelessTable(rows: readonly (readonly string[])[]): string {
  const table = new Table({
    chars: FRAMELESS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    colAligns: rows[0]!.map((_, column) => (column === 0 ? 'left' : 'right')),
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** What `--dry-run` prints. */
export function describePlan(plan: PruningPlan): string {
  const { recipe, beginStep, endStep, totalSteps, totalEpochs, stepsPerEpoch, layers, warnings } = plan;
  const weights = layers.reduce((sum, layer) => sum + layer.weights, 0);
  const rows = layers.map((layer) => [
    layer.name,
    String(layer.weights),
    layer.present.toFixed(4),
    layer.target.toFixed(4),
    String(Math.max(1, Math.round(layer.weights * (1 - layer.target)))),
    String(layer.parameters ?? layer.weights),
  ]);
  const pair = recipe.sparsityMByN;
  const how = pair
    ? `${pair[0]} zeros in each ${pair[1]} weights, chosen in step 1 of ${totalSteps}`
    : `${recipe.schedule ?? 'polynomial'} schedule to sparsity ${+recipe.sparsity.toFixed(4)}: steps ${beginStep} to ${endStep} of ${totalSteps}, masks every ${recipe.frequency} steps`;
  return [
    how,
    `${totalEpochs} epochs of ${stepsPerEpoch} steps: ${recipe.warmUp} of warm-up, ${recipe.epochs} of pruning and fine-tuning`,
    ...plan.notes,
    '',
    drawSchedule(planSchedule(plan.scheduleTo(recipe.sparsity), totalSteps)),
    '',
    framelessTable([['layer', 'weights', 'sparsity now', 'then', 'kept', 'parameters'], ...rows]),
    `${layers.length} layers, ${weights} weights to prune`,
    ...(warnings.length === 0 ? [] : ['', ...warnings.map((warning) => `warning: ${warning}`)]),
  ].join('\n');
}

/** What `--scan` prints: the error by layer and sparsity, and what is proposed. */
export function describeScan({ dense, layers, proposal }: SensitivityReport): string {
  const tried = layers[0]?.errors.map(({ sparsity }) => String(sparsity)) ?? [];
  const rows = layers.map(({ layer, size, errors }) => [
    layer,
    String(size),
    ...errors.map(({ error }) => error.toPrecision(5)),
    ...(proposal ? [String(proposal[layer] ?? 0)] : []),
  ]);
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  const zeros = layers.reduce((sum, { layer, size }) => sum + size * (proposal?.[layer] ?? 0), 0);
  return [
    `validation RMSE of the dense model ${dense.toPrecision(5)}; with one layer pruned to`,
    framelessTable([['layer', 'weights', ...tried, ...(proposal ? ['proposed'] : [])], ...rows]),
    ...(proposal ? [`proposed: sparsity ${(zeros / total).toFixed(4)} in all`] : []),
  ].join('\n');
}
