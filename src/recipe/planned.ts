/** A recipe over data: what happens in which step, and which layers get how sparse. */
import type { PruneOptions } from '../prune/loop/options.js';
import type { PruningSchedule } from '../prune/schedule/schedule.js';
import type { Recipe } from './recipe.js';

export interface PlannedLayer {
  name: string;
  /** All of its parameters, biases too. */
  parameters?: number;
  /** Weights that are pruned: the kernel, not the bias. */
  weights: number;
  /** Share of zeros before. */
  present: number;
  /** Frozen in Keras's sense. */
  frozen?: boolean;
  /** Share of zeros at the end. */
  target: number;
}

/** A layer as it is: what can be pruned of it, before anything is decided. */
export type PresentLayer = Omit<PlannedLayer, 'target'>;

export interface PruningPlan {
  /** The recipe with every default filled in. */
  recipe: Recipe & {
    sparsity: number;
    epochs: number;
    warmUp: number;
    frequency: number;
    learningRate: number;
    decay: 'cosine' | 'exponential' | 'constant';
  };
  stepsPerEpoch: number;
  totalEpochs: number;
  totalSteps: number;
  /** Steps count from 1. */
  beginStep: number;
  endStep: number;
  layers: PlannedLayer[];
  /** What pruneLowMagnitude is given. */
  options: PruneOptions;
  /** A schedule to `target`, with this plan's steps. */
  scheduleTo: (target: number) => PruningSchedule;
  /** What is worth knowing and no trap. */
  notes: string[];
  /** Every trap that this plan is near. */
  warnings: string[];
}
