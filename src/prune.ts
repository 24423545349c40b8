/** The public door "espalier/prune": re-exports only. */
export { EspalierError } from './errors.js';
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
