/** All layer kinds, each with the type of its settings. */
import type { Value } from '../tensors.js';
import type { Arr, LayerKind, WeightSpec, Weights } from './kind.js';
import { STEP_KINDS, type StepKind, type StepSettings } from './list.js';
import { timeDistributed, type TimeDistributedSettings } from './time-distributed.js';

/** The settings of a layer, by its kind. */
export interface Settings extends StepSettings {
  readonly TimeDistributed: TimeDistributedSettings;
}

export type Kind = keyof Settings;

const LAYER_KINDS: { readonly [K in Kind]: LayerKind<Settings[K]> } = {
  ...STEP_KINDS,
  TimeDistributed: timeDistributed,
};

/** A kind with settings of that kind. */
export type Typed<K extends Kind = Kind> = {
  readonly [P in K]: { readonly kind: P; readonly settings: Settings[P] };
}[K];

export function isKind(name: string): name is Kind {
  return Object.hasOwn(LAYER_KINDS, name);
}

/** Every kind, in the order of the list. */
export const KINDS: readonly Kind[] = Object.keys(LAYER_KINDS).filter(isKind);

/** A kind with its settings; each caller has both from one K. */
export function typed<K extends Kind>(kind: K, settings: Settings[K]): Typed<K> {
  return { kind, settings };
}

/** The layer inside TimeDistributed. */
export function insideOf({ inner, settings }: TimeDistributedSettings): Typed<StepKind> {
  return { kind: inner, settings } as Typed<StepKind>;
}

/** The settings of TimeDistributed around a layer. */
export function around({ kind, settings }: Typed<StepKind>): TimeDistributedSettings {
  return { inner: kind, settings } as TimeDistributedSettings;
}

/** Whether it may stand inside TimeDistributed. */
export function mayRepeat(layer: Typed): layer is Typed<StepKind> {
  return layer.kind !== 'TimeDistributed';
}

export function weightsOf<K extends Kind>(
  { kind, settings }: Typed<K>,
  inputs: readonly Value[],
): WeightSpec[] {
  return LAYER_KINDS[kind].weights?.(settings, inputs) ?? [];
}

export function outputsOf<K extends Kind>({ kind, settings }: Typed<K>, inputs: readonly Value[]): Value[] {
  return LAYER_KINDS[kind].outputs(settings, inputs);
}

/** The plain reference of one call. */
export function runLayer<K extends Kind>(
  { kind, settings }: Typed<K>,
  weights: Weights,
  inputs: readonly Arr[],
): Arr[] {
  return LAYER_KINDS[kind].run(settings, weights, inputs);
}

/** Settings with which the kind, called on [batch, time, ...], does what TimeDistributed would; else undefined. */
export function distributed<K extends Kind>({ kind, settings }: Typed<K>): Typed<K> | undefined {
  const direct = LAYER_KINDS[kind].distribute?.(settings);
  return direct === undefined ? undefined : typed(kind, direct);
}
