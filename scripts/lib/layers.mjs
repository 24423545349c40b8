/** docs/layers.md, from the registry of layer kinds: what of each Keras layer is supported, and what is not. */

/** Keras layers that the registry does not have, and what to do instead. */
const REFUSED = [
  [
    'Conv3D, Conv3DTranspose, MaxPooling3D, AveragePooling3D, GlobalMaxPooling3D, GlobalAveragePooling3D, ZeroPadding3D, Cropping3D, UpSampling3D',
    'volumes are not supported; SpatialDropout3D, which does nothing, is',
  ],
  ['LocallyConnected1D, LocallyConnected2D', 'use a convolution or Dense'],
  ['ConvLSTM1D, ConvLSTM2D, ConvLSTM3D', 'use convolutions, then LSTM'],
  ['RNN, StackedRNNCells, LSTMCell, GRUCell, SimpleRNNCell', 'use SimpleRNN, LSTM or GRU'],
  ['Attention, AdditiveAttention, GroupQueryAttention', 'use MultiHeadAttention, or Dot and Softmax'],
  ['EinsumDense', 'use Dense, with Reshape and Permute'],
  ['Lambda, TFOpLambda, SlicingOpLambda', 'code cannot be read from a file: use layers that Keras has'],
  ['SpectralNormalization', 'save the layer inside it'],
  [
    'TextVectorization, StringLookup, IntegerLookup, Hashing, Discretization, CategoryEncoding, HashedCrossing',
    'prepare inputs before the network',
  ],
  [
    'Resizing, CenterCrop, Random*, RandomTranslation and other augmentation',
    'prepare images before the network',
  ],
  ['QuantizeWrapperV2, ClusterWeights', 'save the model before, or strip it'],
];

/**
 * @param {{ layerKinds: readonly { names: readonly string[]; supports: string }[]; lowerings: Readonly<Record<string, unknown>>; tfjsKinds: ReadonlySet<string>; writtenKinds: readonly string[] }} registry
 */
export function layersDocument({ layerKinds, lowerings, tfjsKinds, writtenKinds }) {
  const yes = (value) => (value ? 'yes' : '-');
  const rows = [...layerKinds]
    .sort((a, b) => (a.names[0] < b.names[0] ? -1 : 1))
    .map(({ names: [name, ...aliases], supports }) => {
      const others = aliases.length === 0 ? '' : ` (also ${aliases.join(', ')})`;
      const row = [
        `${name}${others}`,
        supports,
        yes(lowerings[name]),
        yes(tfjsKinds.has(name)),
        yes(writtenKinds.includes(name)),
      ];
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

By name or as a layer, with all their parameters: linear, relu (max_value, negative_slope, threshold), relu6, leaky_relu,
elu, celu, selu, sigmoid, hard_sigmoid (as the Keras that wrote the file has it), tanh, softplus, softsign, gelu (exact and
by tanh), swish or silu, hard_swish or hard_silu, exponential, mish, log_sigmoid, tanh_shrink, hard_shrink, soft_shrink,
hard_tanh, squareplus, softmax, log_softmax.

## Not supported

| layer | instead |
| --- | --- |
${REFUSED.map((row) => `| ${row.join(' | ')} |`).join('\n')}
`;
}
