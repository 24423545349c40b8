/** The arguments of `fit` and `fitDataset`: each is heeded, or refused with what would do. */
import type { ModelFitArgs, ModelFitDatasetArgs } from '@tensorflow/tfjs-node';
import { invalid, requireKeys } from '../../errors.js';
import type { Distillation } from './distill.js';

export interface PrunedFitArgs extends ModelFitArgs {
  /** Learns from the dense model too. */
  distillation?: Distillation;
}

export interface PrunedFitDatasetArgs extends ModelFitDatasetArgs<never> {
  /** Learns from the dense model too. */
  distillation?: Distillation;
}

export interface StepCallback {
  setModel(model: unknown): void;
  setParams(params: unknown): void;
  onTrainBegin(): Promise<void>;
  onTrainEnd(): Promise<void>;
  onEpochBegin(): Promise<void>;
  onEpochEnd(): Promise<void>;
  onBatchBegin(): Promise<void>;
  onBatchEnd(): Promise<void>;
}

const FIT = [
  ...['batchSize', 'epochs', 'verbose', 'callbacks', 'validationSplit', 'validationData', 'shuffle'],
  ...['classWeight', 'sampleWeight', 'initialEpoch', 'stepsPerEpoch', 'validationSteps', 'yieldEvery'],
  'distillation',
];

const FIT_DATASET = [
  ...['batchesPerEpoch', 'epochs', 'verbose', 'callbacks', 'validationData', 'validationBatchSize'],
  ...['validationBatches', 'initialEpoch', 'classWeight', 'yieldEvery', 'distillation'],
];

/** What tfjs has in its types and then ignores or refuses in its own words. */
const UNHEEDED: Record<string, string> = {
  sampleWeight: 'nothing, as tfjs does not weigh samples: classWeight weighs classes, or repeat rows',
  stepsPerEpoch: 'nothing, as tfjs trains on all rows in an epoch: fitDataset has batchesPerEpoch',
  validationSteps: 'nothing, as tfjs validates on all rows: fitDataset has validationBatches',
};

/** @throws EspalierError INVALID_ARGUMENT that names the argument */
export function requireFitArguments(args: object): void {
  requireKeys('args', args, FIT);
  for (const [name, expected] of Object.entries(UNHEEDED)) {
    const given = (args as Record<string, unknown>)[name];
    if (given !== undefined && given !== null) throw invalid('INVALID_ARGUMENT', name, expected, given);
  }
}

/** @throws EspalierError INVALID_ARGUMENT that names the argument */
export function requireFitDatasetArguments(args: object): void {
  requireKeys('args', args, FIT_DATASET);
}

export function listOf(callbacks: unknown): unknown[] {
  if (callbacks === undefined || callbacks === null) return [];
  return Array.isArray(callbacks) ? (callbacks as unknown[]) : [callbacks];
}
