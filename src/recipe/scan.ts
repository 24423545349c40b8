/** `espalier prune --scan`: what pruning each layer alone costs on the validation rows, and what follows under a budget. */
import type { LayersModel } from '@tensorflow/tfjs-node';
import { writeFileAtomic } from '../files.js';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { PartTensors } from '../train/part-tensors.js';
import { predictPart } from '../train/fit.js';
import { metricsOf } from '../metrics.js';
import type { Progress } from '../progress.js';
import { PruneForLatency } from '../prune/which/latency.js';
import {
  proposeSparsities,
  sensitivityScan,
  type Budget,
  type SensitivityReport,
} from '../prune/one-shot/sensitivity.js';
import type { PresentLayer } from './planned.js';
import type { ModelWithData } from './model-with-data.js';
import type { Recipe, RecipeBudget } from './recipe.js';

/** The model answers in standardised units; its weights are as before afterwards. */
export async function scanModel(
  { tensorflow, model, dataset }: ModelWithData,
  layers: readonly PresentLayer[],
  recipe: Recipe,
  progress: Progress,
): Promise<SensitivityReport> {
  const { scan = {} } = recipe;
  const names = scan.layers ?? layers.map(({ name }) => name);
  progress.say?.(`scanning ${names.length} layers`);
  const part = new PartTensors(tensorflow.tf, dataset, 'validation');
  const truth = dataset.targets('validation');
  try {
    const report = await sensitivityScan(model, {
      evaluate: (now: LayersModel) => metricsOf(predictPart(tensorflow.tf, now, part, dataset), truth).rmse,
      layers: names,
      ...(recipe.frozen && { frozen: recipe.frozen }),
      ...(scan.sparsities && { sparsities: scan.sparsities }),
    });
    if (!scan.budget) return report;
    const budget = budgetOf(scan.budget, report.dense, model);
    return { ...report, proposal: proposeSparsities(report.dense, report.layers, budget) };
  } finally {
    part.dispose();
  }
}

function budgetOf(budget: RecipeBudget, dense: number, model: LayersModel): Budget {
  const { sparsity, size, latency, error, batch = 1 } = budget;
  if (sparsity !== undefined) return { sparsity };
  if (size !== undefined) return { size };
  if (latency !== undefined) {
    return { latency: 1000 * latency, cost: new PruneForLatency({ batch }).cost(model) };
  }
  return { error: typeof error === 'string' ? dense * (1 + parseFloat(error) / 100) : error };
}

/** Writes sensitivity.json, and recipe.yaml with the sparsities that are proposed. */
export async function writeScan(
  folder: string,
  report: SensitivityReport,
  recipe: Recipe,
): Promise<string[]> {
  await writeFileAtomic(join(folder, 'sensitivity.json'), `${JSON.stringify(report, null, 1)}\n`);
  if (!report.proposal) return ['sensitivity.json'];
  const { scan: _, ...rest } = recipe;
  const proposed = { ...rest, perLayer: { ...report.proposal, ...recipe.perLayer } };
  await writeFileAtomic(join(folder, 'recipe.yaml'), stringify(proposed));
  return ['sensitivity.json', 'recipe.yaml'];
}
