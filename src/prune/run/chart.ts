/** A plan as text: the schedule as a small chart, the layers, the traps. */
import type { Plan } from './plan.js';

const WIDTH = 60;
const HEIGHT = 10;
const LABEL = 7;

/** The sparsity that masks have in each step, for steps 1 to `steps`: what the last update before it asked for. */
export function sparsityOverSteps(plan: Plan): Float64Array {
  const schedule = plan.scheduleTo(plan.recipe.sparsity);
  const weights = plan.layers.reduce((sum, layer) => sum + layer.weights, 0);
  let held =
    plan.layers.reduce((sum, layer) => sum + layer.weights * layer.present, 0) / Math.max(1, weights);
  const values = new Float64Array(plan.totalSteps);
  for (let step = 1; step <= plan.totalSteps; step += 1) {
    const { shouldPrune, sparsity } = schedule.at(step);
    if (shouldPrune) held = sparsity;
    values[step - 1] = held;
  }
  return values;
}

export function drawSchedule(plan: Plan): string {
  const values = sparsityOverSteps(plan);
  const top = Math.max(plan.recipe.sparsity, ...values.subarray(values.length - 1), 0.01);
  const columns = Array.from({ length: WIDTH }, (_, column) => {
    const at = Math.min(values.length - 1, Math.floor(((column + 0.5) * values.length) / WIDTH));
    return Math.min(HEIGHT - 1, Math.round((values[at]! / top) * (HEIGHT - 1)));
  });
  const lines: string[] = [];
  for (let level = HEIGHT - 1; level >= 0; level -= 1) {
    const label = level % 3 === 0 ? ((top * level) / (HEIGHT - 1)).toFixed(3) : '';
    const dots = columns.map((height) => (height === level ? '•' : ' ')).join('');
    lines.push(`${label.padStart(LABEL)} │${dots}`.trimEnd());
  }
  lines.push(`${' '.repeat(LABEL)} └${'─'.repeat(WIDTH)}`);
  const last = `step ${plan.totalSteps}`;
  lines.push(`${' '.repeat(LABEL + 2)}${'step 1'.padEnd(WIDTH - last.length)}${last}`);
  return lines.join('\n');
}

function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
    )
    .join('\n');
}

/** What `--dry-run` prints. */
export function describePlan(plan: Plan): string {
  const { recipe, beginStep, endStep, totalSteps, totalEpochs, stepsPerEpoch, layers, warnings } = plan;
  const weights = layers.reduce((sum, layer) => sum + layer.weights, 0);
  const rows = layers.map((layer) => [
    layer.name,
    String(layer.weights),
    layer.present.toFixed(4),
    layer.target.toFixed(4),
    String(Math.max(1, Math.round(layer.weights * (1 - layer.target)))),
  ]);
  return [
    `${recipe.schedule ?? 'polynomial'} schedule to sparsity ${recipe.sparsity}: steps ${beginStep} to ${endStep} of ${totalSteps}, masks every ${recipe.frequency} steps`,
    `${totalEpochs} epochs of ${stepsPerEpoch} steps: ${recipe.warmUp} of warm-up, ${recipe.epochs} of pruning and fine-tuning`,
    '',
    drawSchedule(plan),
    '',
    table([['layer', 'weights', 'sparsity now', 'then', 'kept'], ...rows]),
    `${layers.length} layers, ${weights} weights to prune`,
    ...(warnings.length === 0 ? [] : ['', ...warnings.map((warning) => `warning: ${warning}`)]),
  ].join('\n');
}
