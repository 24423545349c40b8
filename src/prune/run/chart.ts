/** A plan as text: the schedule as a small chart, the layers, the traps. */
import { drawSchedule, planSchedule } from '../plan.js';
import type { Plan } from './plan.js';

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
    drawSchedule(planSchedule(plan.scheduleTo(recipe.sparsity), totalSteps)),
    '',
    table([['layer', 'weights', 'sparsity now', 'then', 'kept'], ...rows]),
    `${layers.length} layers, ${weights} weights to prune`,
    ...(warnings.length === 0 ? [] : ['', ...warnings.map((warning) => `warning: ${warning}`)]),
  ].join('\n');
}
