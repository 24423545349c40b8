/** Layers of any kind ↔ Keras's configs. */
import { KINDS, insideOf, typed, type Kind, type Settings, type Typed } from '../network/layers/registry.js';
import type { TimeDistributedSettings } from '../network/layers/time-distributed.js';
import { wrong } from '../network/untrusted.js';
import type { KerasCodec, Masking, Target, WrittenConfig } from './codec.js';
import type { Config, Origin } from './config.js';
import { STEP_CODECS } from './layers/list.js';

const timeDistributed: KerasCodec<TimeDistributedSettings> = {
  supports: 'any supported layer or model with one input inside',
  tfjs: true,
  untrained: true,
  read: () => {
    throw wrong('class_name', 'a layer that the importer unwraps', 'TimeDistributed');
  },
  write: (settings, { dialect, name }) => ({
    layer: {
      class_name: settings.inner,
      config: {
        name: `${name}_step`,
        trainable: true,
        dtype: 'float32',
        ...writeSettings(insideOf(settings), { dialect, name }),
      },
    },
  }),
};

export const KERAS_CODECS: { readonly [K in Kind]: KerasCodec<Settings[K]> } = {
  ...STEP_CODECS,
  TimeDistributed: timeDistributed,
};

const byClass = new Map<string, Kind>(
  KINDS.flatMap((kind) => [kind, ...(KERAS_CODECS[kind].aliases ?? [])].map((name) => [name, kind] as const)),
);

/** The kind of a Keras class name, or undefined. */
export function kindOfClass(className: string): Kind | undefined {
  return byClass.get(className);
}

export function readSettings<K extends Kind>(kind: K, config: Config): Typed<K> {
  return typed(kind, KERAS_CODECS[kind].read(config));
}

/** @throws UNSUPPORTED_LAYER is the exporter's to throw: kinds without a writer do not come here. */
export function writeSettings<K extends Kind>({ kind, settings }: Typed<K>, target: Target): WrittenConfig {
  const config = KERAS_CODECS[kind].write?.(settings, target);
  if (config === undefined) throw new TypeError(`no writer of ${kind}`);
  return config;
}

export function maskingOf<K extends Kind>({ kind, settings }: Typed<K>, origin: Origin): Masking {
  return KERAS_CODECS[kind].masking?.(settings, origin) ?? 'drop';
}

/** As it is called with inputs that have these masks. */
export function withMasks<K extends Kind>(layer: Typed<K>, masked: readonly boolean[]): Typed<K> {
  const { kind, settings } = layer;
  const changed = KERAS_CODECS[kind].withMasks?.(settings, masked);
  return changed === undefined ? layer : typed(kind, changed);
}

/** As it is called with keyword arguments; what it knows is taken out of `args`. */
export function withArguments<K extends Kind>(layer: Typed<K>, args: Map<string, unknown>): Typed<K> {
  const { kind, settings } = layer;
  const changed = KERAS_CODECS[kind].withArguments?.(settings, args);
  return changed === undefined ? layer : typed(kind, changed);
}
