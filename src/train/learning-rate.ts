/** How the learning rate falls over a run. */
import { invalid } from '../errors.js';

export const DECAYS = ['cosine', 'exponential', 'constant'] as const;
export type Decay = (typeof DECAYS)[number];

/** Where cosine and exponential decay end, as a share of the rate they start from. */
const FLOOR = 0.01;

/**
 * The rate at `step` (from 0) of `steps`: cosine (Loshchilov & Hutter 2017, no restarts) and exponential fall from
 * `rate` to a hundredth of it.
 */
export function learningRateAt(decay: Decay, rate: number, step: number, steps: number): number {
  const done = Math.min(1, step / Math.max(1, steps));
  switch (decay) {
    case 'cosine':
      return rate * (FLOOR + ((1 - FLOOR) * (1 + Math.cos(Math.PI * done))) / 2);
    case 'exponential':
      return rate * FLOOR ** done;
    case 'constant':
      return rate;
  }
}

export function parseDecay(text: string): Decay {
  const decay = DECAYS.find((name) => name === text);
  if (decay === undefined) throw invalid('INVALID_ARGUMENT', 'decay', `one of ${DECAYS.join(', ')}`, text);
  return decay;
}
