/** docs/layers.md, from the lists of layer kinds: what of each Keras layer is supported, and what is not. */

/**
 * @param {{
 *   codecs: Readonly<Record<string, { aliases?: readonly string[]; supports: string; tfjs?: true; write?: unknown }>>;
 *   lowerings: Readonly<Record<string, unknown>>;
 *   refused: readonly { names: string; instead: string }[];
 *   activations: readonly string[];
 * }} lists
 */
export function layersDocument({ codecs, lowerings, refused, activations }) {
  const yes = (value) => (value ? 'yes' : '-');
  const rows = Object.entries(codecs)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { aliases = [], supports, tfjs, write }]) => {
      const others = aliases.length === 0 ? '' : ` (also ${aliases.join(', ')})`;
      const row = [`${name}${others}`, supports, yes(lowerings[name]), yes(tfjs), yes(write)];
      return `| ${row.join(' | ')} |`;
    });
  return `# Layers

Every layer of Keras, and what of it espalier takes. Made from the registry by \`node scripts/layers.mjs\`; a test holds it
to that.

Sequential, functional and nested models, shared layers, several inputs and outputs are taken, also inside
\`TimeDistributed\`; tfmot's \`PruneLowMagnitude\` is stripped on the way. Data is channels_last. What is not supported is
refused with the layer's name and what would help, never computed otherwise.

- **engine**: \`convert\`, \`run\` and \`loadModel\` have operations for it.
- **tfjs**: \`toLayersModel\`, \`espalier prune\` and \`espalier export --format tfjs\` have a layer that computes the same;
  settings that tfjs lacks (grouped convolutions, causal padding, \`reset_after\`, masks, bilinear up-sampling as Keras has
  it) are refused by name. Normalization becomes Rescaling, Identity and ActivityRegularization a linear Activation,
  SpatialDropout2D a Dropout of the same rate.
- **.h5**: \`espalier export --format h5\` writes it for Keras 2 and 3.

| layer | what is supported | engine | tfjs | .h5 |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

\`InputLayer\` gives an input its name, shape and dtype; sparse and ragged inputs are refused.

## Activations

By name, with the parameters that the name has in the Keras that wrote the file (\`hard_sigmoid\` differs): ${activations.join(', ')}. As layers, with all their parameters: Activation, ReLU, LeakyReLU, ELU,
ThresholdedReLU, Softmax, PReLU.

## Not supported

| layer | instead |
| --- | --- |
${refused.map(({ names, instead }) => `| ${names} | ${instead} |`).join('\n')}
`;
}
