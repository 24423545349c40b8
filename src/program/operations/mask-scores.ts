import type { ManyInputs, OperationDefinition } from '../definition.js';
import { counts, flags, inputCount, inputFeatures, limited } from '../expect.js';
import { readFlags, readNumbers } from '../stored.js';

/**
 * Scores [heads, targets, sources]: -1e9 is added to those of masked targets (the second input if `queryMask`) or
 * sources (the last if `valueMask`), and of sources after the target if `causal`.
 */
export interface MaskScores extends ManyInputs<'mask_scores'> {
  readonly heads: number;
  readonly targets: number;
  readonly sources: number;
  readonly causal: boolean;
  readonly queryMask: boolean;
  readonly valueMask: boolean;
}

const SIZES = ['heads', 'targets', 'sources'] as const;
const FLAGS = ['causal', 'queryMask', 'valueMask'] as const;
const KEYS = [...SIZES, ...FLAGS] as const;

export const maskScores: OperationDefinition<MaskScores> = {
  op: 'mask_scores',
  manyInputs: true,
  computes: 'attention scores, those not seen lowered',
  keys: { scores: `[${KEYS.join(', ')}]` },
  features(o, inputs) {
    counts(o, SIZES);
    flags(o, FLAGS);
    inputCount(o, 1 + (o.queryMask ? 1 : 0) + (o.valueMask ? 1 : 0));
    const size = limited(limited(o.heads * o.targets, o.name) * o.sources, o.name);
    inputFeatures(inputs[0], size, o.name);
    if (o.queryMask) inputFeatures(inputs[1], o.targets, o.name);
    if (o.valueMask) inputFeatures(inputs[inputs.length - 1], o.sources, o.name);
    return size;
  },
  write: (o) => ({ scores: [...SIZES.map((key) => o[key]), ...FLAGS.map((key) => Number(o[key]))] }),
  read(json, { name }) {
    const { causal, queryMask, valueMask, ...sizes } = readNumbers(json.scores, KEYS, `${name}.scores`);
    return { ...sizes, ...readFlags({ causal, queryMask, valueMask }, name) };
  },
  reference: (o, inputs) =>
    (inputs[0] ?? []).map((score, i) => {
      const [target, source] = [Math.floor(i / o.sources) % o.targets, i % o.sources];
      const seen =
        (!o.causal || source <= target) &&
        (!o.queryMask || inputs[1]?.[target] !== 0) &&
        (!o.valueMask || inputs[inputs.length - 1]?.[source] !== 0);
      return seen ? score : Math.fround(score - 1e9);
    }),
  cases: () => [
    {
      name: 'causal',
      inputs: [24],
      settings: { heads: 2, targets: 3, sources: 4, causal: true, queryMask: false, valueMask: false },
    },
    {
      name: 'by both masks',
      inputs: [24, [1, 0, 1], [1, 1, 0, 1]],
      settings: { heads: 2, targets: 3, sources: 4, causal: false, queryMask: true, valueMask: true },
    },
  ],
};
