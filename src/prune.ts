/** The public door "espalier/prune": re-exports only. */
export { EspalierError } from './errors.js';
export { toLayersModel } from './train/layers-model.js';
export type { TensorFlowOptions } from './tensorflow/load.js';
export {
  ConstantSparsity,
  PolynomialDecay,
  PruningSchedule,
  type ConstantSparsityOptions,
  type PolynomialDecayOptions,
  type ScheduleConfig,
  type ScheduleSpan,
  type ScheduleStep,
} from './prune/schedule/schedule.js';
export {
  CubicSchedule,
  HeldMasks,
  LinearSchedule,
  OneCycleSchedule,
  WarmUp,
  scheduleFromConfig,
  type OneCycleOptions,
  type RampOptions,
} from './prune/schedule/schedules.js';
export {
  keptCount,
  magnitudeMask,
  mByNMask,
  type BlockPooling,
  type BlockSize,
  type Mask,
  type MaskOptions,
} from './prune/mask/mask.js';
export {
  checkSchedule,
  drawSchedule,
  planSchedule,
  type PlannedUpdate,
  type RunFacts,
  type SchedulePlan,
  type Trap,
  type TrapCode,
} from './prune/schedule/timeline.js';
export { holdMasks, pruneLowMagnitude } from './prune/loop/prune-low-magnitude.js';
export type { Pruned } from './prune/loop/pruned.js';
export type { PrunedFitArgs, PrunedFitDatasetArgs, StepCallback } from './prune/loop/fit-arguments.js';
export type { LayerOptions, PruneOptions } from './prune/loop/options.js';
export type { PruningState, WeightState } from './prune/loop/pruner.js';
export { prunableWeightNames, type PrunableLayer } from './prune/which/registry.js';
export type { PruningPolicy } from './prune/which/policy.js';
export { resumePruning, type ResumeOptions } from './prune/loop/resume.js';
export { PruningSummaries, type SummariesOptions } from './prune/tensorboard/summaries.js';
export { PruneForLatencyOnXNNPack } from './prune/which/xnnpack.js';
export { PruneForLatency, type LatencyOptions, type LayerLatency } from './prune/which/latency.js';
export { pruneOneShot, type OneShotOptions } from './prune/one-shot/one-shot.js';
export {
  proposeSparsities,
  sensitivityScan,
  type Budget,
  type ScanOptions,
  type Sensitivity,
  type SensitivityReport,
} from './prune/one-shot/sensitivity.js';
export { type EarlyStoppingOptions, type SparsityEarlyStopping } from './prune/loop/stopping.js';
export { type Distillation } from './prune/loop/distill.js';
