/** Keras layers that are not supported, and what to do instead: for messages, and for docs/layers.md. */

interface Refused {
  /** Class names, as docs/layers.md lists them. */
  readonly names: string;
  readonly instead: string;
}

export const REFUSED: readonly Refused[] = [
  {
    names:
      'Conv3D, Conv3DTranspose, MaxPooling3D, AveragePooling3D, GlobalMaxPooling3D, GlobalAveragePooling3D, ZeroPadding3D, Cropping3D, UpSampling3D',
    instead: 'volumes are not supported; SpatialDropout3D, which does nothing, is',
  },
  { names: 'LocallyConnected1D, LocallyConnected2D', instead: 'use a convolution or Dense' },
  { names: 'ConvLSTM1D, ConvLSTM2D, ConvLSTM3D', instead: 'use convolutions, then LSTM' },
  { names: 'RNN, StackedRNNCells, LSTMCell, GRUCell, SimpleRNNCell', instead: 'use SimpleRNN, LSTM or GRU' },
  {
    names: 'Attention, AdditiveAttention, GroupQueryAttention',
    instead: 'use MultiHeadAttention, or Dot and Softmax',
  },
  { names: 'EinsumDense', instead: 'use Dense, with Reshape and Permute' },
  {
    names: 'Lambda, TFOpLambda, SlicingOpLambda',
    instead: 'code cannot be read from a file: use layers that Keras has',
  },
  { names: 'SpectralNormalization', instead: 'save the layer inside it' },
  {
    names:
      'TextVectorization, StringLookup, IntegerLookup, Hashing, Discretization, CategoryEncoding, HashedCrossing',
    instead: 'prepare inputs before the network',
  },
  {
    names: 'Resizing, CenterCrop, Random*, RandomTranslation and other augmentation',
    instead: 'prepare images before the network',
  },
  { names: 'QuantizeWrapperV2, ClusterWeights', instead: 'save the model before, or strip it' },
];

/** What helps with a file that has such a layer, where there is more to say. */
const HELP: Readonly<Record<string, string>> = {
  Lambda: 'replace it by layers that Keras has: its code cannot be read',
  TFOpLambda: 'replace the TensorFlow operation by a Keras layer',
  SlicingOpLambda: 'replace the slicing by Cropping or Permute and Reshape',
  RNN: 'use SimpleRNN, LSTM or GRU instead of a wrapped cell',
  QuantizeWrapperV2: 'save the model before quantisation-aware training, or strip it',
  ClusterWeights: 'strip the clustering (tfmot.clustering.keras.strip_clustering) before saving',
};

/** How a message about an unknown class ends. */
export function helpFor(className: string): string {
  return Object.hasOwn(HELP, className) ? HELP[className]! : 'replace it by layers listed in docs/layers.md';
}
