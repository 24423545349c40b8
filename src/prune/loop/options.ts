/** The options of pruneLowMagnitude: their meaning, defaults and checks. */
import { invalid, requireKeys } from '../../errors.js';
import { poolBlocks } from '../mask/block.js';
import { checkMaskOptions, requireMByN, type MaskOptions } from '../mask/mask.js';
import { isSchedule } from '../schedule/timeline.js';
import type { PruningPolicy } from '../which/policy.js';
import { ConstantSparsity, type PruningSchedule } from '../schedule/schedule.js';

export interface LayerOptions extends MaskOptions {
  /** When and how much; tfmot's default: `new ConstantSparsity({ targetSparsity: 0.5, beginStep: 0 })`. */
  schedule?: PruningSchedule;
  /** [m, n]: m zeros in each n weights along the input channels, fixed in step 1; the schedule is not asked then. */
  sparsityMByN?: readonly [number, number];
}

export interface PruneOptions extends LayerOptions {
  /** Chooses the layers; without one every layer is pruned. */
  policy?: PruningPolicy;
  /** By layer name ("outer/inner" in nested models): options that differ, or false to leave the layer dense. */
  perLayer?: Readonly<Record<string, LayerOptions | false>>;
  /** 'layer': each weight reaches the sparsity (tfmot). 'global': all of them together. Default 'layer'. */
  scope?: 'layer' | 'global';
  /**
   * Frozen layers (in Keras's sense: by themselves or by a model around them): 'prune' prunes them all the same, as
   * tfmot does; 'keep' leaves them as they are. By default a run that cannot reach its sparsity because of them is
   * refused.
   */
  frozen?: 'prune' | 'keep';
  /** What happens where the schedule's end lies beyond the planned steps. Default 'error'. */
  onUnreachedEnd?: 'error' | 'warn';
  /** Training steps of all planned fits together; without it each fit is checked on its own. */
  totalSteps?: number;
  /** Adam adds its epsilon where Keras does. Default true. */
  kerasEpsilon?: boolean;
  /** Masks begin with the zeros that the weights have, and so hold them, instead of all ones. Default false. */
  keepZeros?: boolean;
  /** Is told of traps. Default: `process.emitWarning`. */
  onWarning?: (message: string) => void;
}

export interface ResolvedLayerOptions extends Required<MaskOptions> {
  schedule: PruningSchedule;
  sparsityMByN: readonly [number, number] | null;
}

export interface ResolvedOptions extends ResolvedLayerOptions {
  policy: PruningPolicy | null;
  perLayer: Readonly<Record<string, LayerOptions | false>>;
  scope: 'layer' | 'global';
  /** null: not said. */
  frozen: 'prune' | 'keep' | null;
  onUnreachedEnd: 'error' | 'warn';
  totalSteps: number | null;
  kerasEpsilon: boolean;
  keepZeros: boolean;
  onWarning: (message: string) => void;
}

const LAYER_KEYS = ['schedule', 'blockSize', 'blockPooling', 'sparsityMByN', 'exact'];
const MODEL_KEYS = [
  ...[
    'policy',
    'perLayer',
    'scope',
    'frozen',
    'onUnreachedEnd',
    'totalSteps',
    'kerasEpsilon',
    'keepZeros',
    'onWarning',
  ],
];

/** @throws EspalierError INVALID_ARGUMENT that names the option */
export function resolveOptions(options: PruneOptions): ResolvedOptions {
  requireKeys('options', options, [...LAYER_KEYS, ...MODEL_KEYS]);
  const layer = resolveLayer(options, null, 'options');
  const { policy = null, perLayer = {}, scope = 'layer', onUnreachedEnd = 'error' } = options;
  const { totalSteps = null, kerasEpsilon = true, keepZeros = false } = options;
  const frozen = resolveFrozen(options.frozen);
  if (policy !== null && typeof policy?.select !== 'function') {
    throw invalid('INVALID_ARGUMENT', 'policy', 'a PruningPolicy with select(model)', policy);
  }
  if (scope !== 'layer' && scope !== 'global')
    throw invalid('INVALID_ARGUMENT', 'scope', "'layer' or 'global'", scope);
  if (onUnreachedEnd !== 'error' && onUnreachedEnd !== 'warn') {
    throw invalid('INVALID_ARGUMENT', 'onUnreachedEnd', "'error' or 'warn'", onUnreachedEnd);
  }
  if (totalSteps !== null && !(Number.isSafeInteger(totalSteps) && totalSteps > 0)) {
    throw invalid('INVALID_ARGUMENT', 'totalSteps', 'an integer > 0', totalSteps);
  }
  for (const [name, value] of Object.entries({ kerasEpsilon, keepZeros })) {
    if (typeof value !== 'boolean') throw invalid('INVALID_ARGUMENT', name, 'true or false', value);
  }
  if (typeof perLayer !== 'object' || perLayer === null || Array.isArray(perLayer)) {
    throw invalid('INVALID_ARGUMENT', 'perLayer', 'an object by layer name', perLayer);
  }
  for (const [name, own] of Object.entries(perLayer)) {
    if (own === false) continue;
    requireKeys(`perLayer.${name}`, own, LAYER_KEYS);
    resolveLayer(own, layer, `perLayer.${name}`);
    if (scope === 'global')
      throw invalid('INVALID_ARGUMENT', `perLayer.${name}`, "false, as scope is 'global'", own);
  }
  const blocks = layer.blockSize[0] !== 1 || layer.blockSize[1] !== 1;
  if (scope === 'global' && (blocks || layer.sparsityMByN)) {
    throw invalid('INVALID_ARGUMENT', 'scope', "'layer' for blockSize and sparsityMByN", scope);
  }
  const onWarning = options.onWarning ?? ((message) => process.emitWarning(message, 'EspalierWarning'));
  if (typeof onWarning !== 'function')
    throw invalid('INVALID_ARGUMENT', 'onWarning', 'a function', onWarning);
  return {
    ...layer,
    policy,
    perLayer,
    scope,
    frozen,
    onUnreachedEnd,
    totalSteps,
    kerasEpsilon,
    keepZeros,
    onWarning,
  };
}

/** @throws EspalierError INVALID_ARGUMENT */
export function resolveFrozen(frozen: unknown): 'prune' | 'keep' | null {
  if (frozen === undefined || frozen === 'prune' || frozen === 'keep') return frozen ?? null;
  throw invalid('INVALID_ARGUMENT', 'frozen', "'prune' or 'keep'", frozen);
}

/** A layer's options: its own where given, else those of the model. */
export function resolveLayer(
  own: LayerOptions,
  base: ResolvedLayerOptions | null,
  owner: string,
): ResolvedLayerOptions {
  const schedule =
    own.schedule ?? base?.schedule ?? new ConstantSparsity({ targetSparsity: 0.5, beginStep: 0 });
  if (!isSchedule(schedule)) {
    throw invalid(
      'INVALID_ARGUMENT',
      owner === 'options' ? 'schedule' : `${owner}.schedule`,
      'a PruningSchedule',
      schedule,
    );
  }
  const sparsityMByN = own.sparsityMByN ?? base?.sparsityMByN ?? null;
  if (sparsityMByN !== null) requireMByN(sparsityMByN);
  const mask = checkMaskOptions({
    blockSize: own.blockSize ?? base?.blockSize,
    blockPooling: own.blockPooling ?? base?.blockPooling,
    exact: own.exact ?? base?.exact,
  });
  return { ...mask, schedule, sparsityMByN };
}

/** What tfmot refuses when it first makes a mask for a weight of this shape; refused here before training. */
export function requireMaskable(
  owner: string,
  shape: readonly number[],
  options: ResolvedLayerOptions,
): void {
  const { blockSize, blockPooling, sparsityMByN } = options;
  if (sparsityMByN) {
    if (shape.length !== 2 && shape.length !== 4) {
      const expected = 'a layer whose weights have two or four extents';
      throw invalid('INVALID_ARGUMENT', `sparsityMByN of layer "${owner}"`, expected, [...shape]);
    }
    return;
  }
  if (blockSize[0] === 1 && blockSize[1] === 1) return;
  if (shape.length !== 2) {
    throw invalid('INVALID_ARGUMENT', `blockSize of layer "${owner}"`, 'a layer whose weights are a matrix', [
      ...shape,
    ]);
  }
  try {
    const [rows, cols] = shape as [number, number];
    poolBlocks(new Float32Array(rows * cols), rows, cols, blockSize, blockPooling);
  } catch (cause) {
    const { details } = cause as { details: { expected: string; received: string } };
    throw invalid('INVALID_ARGUMENT', `blockSize of layer "${owner}"`, details.expected, details.received);
  }
}
