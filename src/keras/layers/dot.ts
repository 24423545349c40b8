/** Dot in Keras's files. */
import type { DotSettings } from '../../network/layers/dot.js';
import type { KerasCodec } from '../codec.js';

const dot: KerasCodec<DotSettings> = {
  supports: 'one axis of each of two inputs, normalize',
  tfjs: true,
  read: (config) => {
    const axes = config.ints('axes', 2, undefined, { min: -8, max: 8 }) as [number, number];
    return { axes, normalize: config.bool('normalize', false) };
  },
  write: ({ axes, normalize }) => ({ axes, normalize }),
};

export const dotCodecs = { Dot: dot };
