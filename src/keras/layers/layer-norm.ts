/** LayerNormalization, RMSNormalization, GroupNormalization and UnitNormalization in Keras's files. */
import type {
  GroupNormalizationSettings,
  LayerNormalizationSettings,
  UnitNormalizationSettings,
} from '../../network/layers/layer-norm.js';
import { unsupported, wrong } from '../../network/untrusted.js';
import type { KerasCodec } from '../codec.js';
import type { Config } from '../config.js';

/** One axis or several, increasing once resolved. */
function readAxes(config: Config): number[] {
  const raw = config.raw('axis') ?? -1;
  const axes = Array.isArray(raw)
    ? config.intList('axis', { min: -8, max: 8 })
    : [config.int('axis', -1, { min: -8 })];
  if (axes.length === 0) throw wrong('axis', 'one axis or more', raw);
  return axes;
}

const layerNormalization: KerasCodec<LayerNormalizationSettings> = {
  supports: 'one axis or several, center, scale, epsilon',
  tfjs: true,
  read: (config) => {
    if (config.has('rms_scaling') && config.bool('rms_scaling')) {
      throw unsupported('rms_scaling', 'true', 'use RMSNormalization');
    }
    return {
      axes: readAxes(config),
      epsilon: config.number('epsilon', 1e-3, { min: 0 }),
      center: config.bool('center', true),
      scale: config.bool('scale', true),
      rms: false,
    };
  },
  write: ({ axes, epsilon, center, scale }) => ({ axis: axes, epsilon, center, scale }),
  masking: () => 'pass',
};

/** Keras 3 only. */
const rmsNormalization: KerasCodec<LayerNormalizationSettings> = {
  supports: 'one axis or several, epsilon',
  instead: 'use LayerNormalization',
  read: (config) => ({
    axes: readAxes(config),
    epsilon: config.number('epsilon', 1e-6, { min: 0 }),
    center: false,
    scale: true,
    rms: true,
  }),
  masking: () => 'pass',
};

const groupNormalization: KerasCodec<GroupNormalizationSettings> = {
  supports: 'groups (-1 too), axis, center, scale, epsilon',
  read: (config) => {
    const groups = config.int('groups', 32, { min: -1 });
    if (groups === 0) throw wrong('groups', 'a positive number or -1', groups);
    return {
      axis: config.int('axis', -1, { min: -8, max: 8 }),
      groups,
      epsilon: config.number('epsilon', 1e-3, { min: 0 }),
      center: config.bool('center', true),
      scale: config.bool('scale', true),
    };
  },
  write: ({ groups, axis, epsilon, center, scale }) => ({ groups, axis, epsilon, center, scale }),
  masking: () => 'pass',
};

const unitNormalization: KerasCodec<UnitNormalizationSettings> = {
  supports: 'one axis or several',
  read: (config) => ({ axes: readAxes(config) }),
  write: ({ axes }) => ({ axis: axes }),
  masking: () => 'pass',
};

export const layerNormCodecs = {
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  GroupNormalization: groupNormalization,
  UnitNormalization: unitNormalization,
};
