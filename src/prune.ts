/** The public door "espalier/prune": re-exports only. */
export { EspalierError } from './errors.js';
export { toLayersModel } from './train/layers-model.js';
export type { TensorFlowOptions } from './train/tensorflow.js';
export {
  ConstantSparsity,
  PolynomialDecay,
  PruningSchedule,
  type ConstantSparsityOptions,
  type PolynomialDecayOptions,
  type ScheduleConfig,
  type ScheduleSpan,
  type ScheduleStep,
} from './prune/schedule.js';
export {
  CubicSchedule,
  HeldMasks,
  LinearSchedule,
  OneCycleSchedule,
  WarmUp,
  scheduleFromConfig,
  type OneCycleOptions,
  type RampOptions,
} from './prune/schedules.js';
export {
  keptCount,
  magnitudeMask,
  mByNMask,
  type BlockPooling,
  type BlockSize,
  type Mask,
  type MaskOptions,
} from './prune/mask.js';
export {
  checkSchedule,
  drawSchedule,
  planSchedule,
  type PlannedUpdate,
  type RunFacts,
  type SchedulePlan,
  type Trap,
  type TrapCode,
} from './prune/plan.js';
export { holdMasks, pruneLowMagnitude } from './prune/prune-low-magnitude.js';
export type { Pruned, PrunedFitArgs, StepCallback } from './prune/pruned.js';
export type { LayerOptions, PruneOptions } from './prune/options.js';
export type { PruningState, WeightState } from './prune/pruner.js';
export { prunableWeightNames, type PrunableLayer } from './prune/registry.js';
export type { PruningPolicy } from './prune/policy.js';
export { resumePruning, type ResumeOptions } from './prune/resume.js';
export { PruningSummaries, type SummariesOptions } from './prune/summaries.js';
export { PruneForLatencyOnXNNPack } from './prune/xnnpack.js';
export { PruneForLatency, type LatencyOptions, type LayerLatency } from './prune/latency.js';
export { pruneOneShot, type OneShotOptions } from './prune/one-shot.js';
export {
  proposeSparsities,
  sensitivityScan,
  type Budget,
  type ScanOptions,
  type Sensitivity,
  type SensitivityReport,
} from './prune/sensitivity.js';
export { type EarlyStoppingOptions, type SparsityEarlyStopping } from './prune/stopping.js';
export { type Distillation } from './prune/distill.js';
