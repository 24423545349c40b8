/** PReLU in Keras's files. */
import type { PReLUSettings } from '../../network/layers/prelu.js';
import type { KerasCodec } from '../codec.js';

const prelu: KerasCodec<PReLUSettings> = {
  supports: 'shared_axes',
  tfjs: true,
  read: (config) => {
    if (!config.has('shared_axes')) return { sharedAxes: [] };
    const one = config.raw('shared_axes');
    return {
      sharedAxes: typeof one === 'number' ? [config.int('shared_axes')] : config.intList('shared_axes'),
    };
  },
  write: ({ sharedAxes }) => ({ shared_axes: sharedAxes.length === 0 ? null : sharedAxes }),
  masking: () => 'pass',
};

export const preluCodecs = { PReLU: prelu };
