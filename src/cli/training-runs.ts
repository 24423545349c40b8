/** Running what trains, and telling how it went: for `espalier train` and `espalier prune`. */
import type { Recipe } from '../recipe/recipe.js';
import type { Metrics } from '../metrics.js';
import type { TrainResult } from '../train/run.js';
import type { NetworkOptions } from '../train/train.js';
import type { givenSplit } from './data-options.js';
import { interruptSignal, type trainingProgress } from './training-progress.js';

export interface Shared {
  model: string | NetworkOptions;
  data: string;
  target: string;
  recipe: Recipe;
  threads?: number;
  split: ReturnType<typeof givenSplit>;
  progress: ReturnType<typeof trainingProgress>;
  tensorboard?: string;
  tensorboardEvery?: number;
  resume?: boolean;
}

export function describeMetrics({ samples, rmse, mae, r2, ratio }: Metrics): string {
  const spread = `${ratio.mean.toFixed(4)} ± ${ratio.deviation.toFixed(4)}`;
  return `RMSE ${rmse.toPrecision(5)}  MAE ${mae.toPrecision(5)}  R² ${r2.toFixed(4)}  pred/true ${spread}  (${samples} held-out rows)`;
}

export function printLayers(
  layers: readonly { name: string; weights: number; sparsity: number }[],
  all: number,
) {
  for (const layer of layers)
    console.log(`  ${layer.name}: sparsity ${layer.sparsity.toFixed(4)} of ${layer.weights}`);
  console.log(`sparsity ${all.toFixed(4)}`);
}

export function printResult(
  { state, test }: TrainResult,
  output: string,
  more: () => void = () => undefined,
) {
  const { best } = state;
  console.log(`best epoch ${best?.epoch}: validation RMSE ${best?.validationRmse.toPrecision(5)}`);
  more();
  if (test !== undefined) console.log(describeMetrics(test));
  console.log(`written to ${output}`);
}

/** Prints the plan, traps and all; a plan that would be refused is shown first and then refused. */
export async function dryRun(shared: Shared): Promise<void> {
  const { planRun } = await import('../recipe/train-and-prune.js');
  const { describePlan, describeScan } = await import('./plan-text.js');
  const { recipe } = shared;
  const { scan, ...plan } = await planRun({
    ...shared,
    recipe: { ...recipe, onUnreachedEnd: 'warn' },
    output: '',
  });
  if (scan) console.log(`${describeScan(scan)}\n`);
  console.log(describePlan(plan));
  const { planPruning } = await import('../recipe/plan.js');
  const asked = { ...plan.recipe, onUnreachedEnd: recipe.onUnreachedEnd, frequency: recipe.frequency };
  planPruning(asked, plan.stepsPerEpoch, plan.layers);
}

/** Prunes while it trains; what `espalier prune` and `espalier train --sparsity` do. */
export async function pruneAndPrint(shared: Shared, output: string): Promise<void> {
  const { trainAndPrune } = await import('../recipe/train-and-prune.js');
  const { progress } = shared;
  const { signal, release } = interruptSignal();
  try {
    const result = await trainAndPrune({ ...shared, output, signal });
    progress.stop();
    printResult(result, output, () => printLayers(result.layers, result.sparsity));
  } finally {
    progress.stop();
    release();
  }
}
