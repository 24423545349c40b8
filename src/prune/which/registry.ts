/**
 * Which weights of which layers are pruned: tfmot's registry (`prune_registry.py`), for the layers tfjs has. Past tfmot,
 * wrappers (Bidirectional, TimeDistributed) are pruned by what they wrap, and layers that hold nothing to prune, which
 * tfmot refuses, are passed over.
 */
import { EspalierError, invalid } from '../../errors.js';
import { isModel, partsOf, type Layer } from '../../tensorflow/layer-tree.js';
import type { LayerVariable } from '../../tensorflow/of-the-caller.js';

/**
 * A layer of one's own that is pruned: it returns the weights (of `addWeight`) that get masks. Any layer or RNN cell
 * with this method is one; nothing need be extended.
 */
export interface PrunableLayer {
  getPrunableWeights(): LayerVariable[];
}

export interface NamedWeight {
  /** Keras's short name: "kernel", "recurrent_kernel", "embeddings", … */
  name: string;
  variable: LayerVariable;
}

/** Keras class name → [Keras weight name, tfjs property]. */
const KERNEL = [['kernel', 'kernel']] as const;
const WEIGHTS: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  Conv1D: KERNEL,
  Conv2D: KERNEL,
  Conv2DTranspose: KERNEL,
  Conv3D: KERNEL,
  Conv3DTranspose: KERNEL,
  Dense: KERNEL,
  LocallyConnected1D: KERNEL,
  LocallyConnected2D: KERNEL,
  SeparableConv1D: [['pointwise_kernel', 'pointwiseKernel']],
  SeparableConv2D: [['pointwise_kernel', 'pointwiseKernel']],
  Embedding: [['embeddings', 'embeddings']],
};

/** Layers that tfmot takes and has nothing to prune in. */
const BARE = new Set(
  `ELU LeakyReLU ReLU Softmax ThresholdedReLU Cropping1D Cropping2D Cropping3D DepthwiseConv2D UpSampling1D
   UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D Activation ActivityRegularization Dropout Flatten
   Lambda Masking Permute RepeatVector Reshape SpatialDropout1D SpatialDropout2D SpatialDropout3D Add Average
   Concatenate Dot Maximum Minimum Multiply Subtract AlphaDropout GaussianDropout GaussianNoise BatchNormalization
   LayerNormalization AveragePooling1D AveragePooling2D AveragePooling3D GlobalAveragePooling1D GlobalAveragePooling2D
   GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D MaxPooling1D MaxPooling2D
   MaxPooling3D`.split(/\s+/),
);

/** Layers with nothing to prune that tfmot refuses: numbers by place or by category, as biases are. */
const PASSED = new Set(
  `PReLU Rescaling Normalization CategoryEncoding CenterCrop Resizing RandomWidth UnitNormalization InputLayer`.split(
    ' ',
  ),
);

const RNNS = new Set(['GRU', 'LSTM', 'SimpleRNN', 'RNN']);
const CELLS = new Set(['GRUCell', 'LSTMCell', 'SimpleRNNCell']);
const CELL_WEIGHTS = [
  ['kernel', 'kernel'],
  ['recurrent_kernel', 'recurrentKernel'],
] as const;

/** Weight names by Keras class name: what is pruned of each layer of the registry. RNN cells have theirs. */
export function prunableWeightNames(className: string): string[] | null {
  if (Object.hasOwn(WEIGHTS, className)) return WEIGHTS[className]!.map(([name]) => name);
  if (BARE.has(className)) return [];
  return RNNS.has(className) ? CELL_WEIGHTS.map(([name]) => name) : null;
}

function isPrunableLayer(layer: unknown): layer is PrunableLayer {
  return typeof (layer as PrunableLayer | null)?.getPrunableWeights === 'function';
}

/**
 * Throws UNSUPPORTED_LAYER with the layer's name where something in it might be pruned and nobody tells what. Works on
 * unbuilt layers too.
 * @param asked the layer itself was given to be pruned: then one with nothing to prune is refused, as in tfmot
 */
export function requireSupported(layer: Layer, name = layer.name, asked = false): void {
  const className = layer.getClassName();
  if (isPrunableLayer(layer) || Object.hasOwn(WEIGHTS, className) || BARE.has(className)) return;
  if (RNNS.has(className)) {
    for (const cell of cellsOf(layer)) {
      if (!CELLS.has(cell.getClassName()) && !isPrunableLayer(cell)) {
        throw unsupported(name, `${className} with the cell ${cell.getClassName()}`);
      }
    }
    return;
  }
  const inside = insideOf(layer);
  for (const [part, inner] of inside) requireSupported(inner, `${name}/${part}`, asked);
  if (inside.length > 0) return;
  const matrices = layer.weights.some(({ shape }) => shape.length > 1);
  if (asked || (matrices && !PASSED.has(className))) throw unsupported(name, className);
}

/** What a wrapper wraps, or the layers of a model that is wrapped. */
function insideOf(layer: Layer): [string, Layer][] {
  return isModel(layer) ? layer.layers.map((inner) => [inner.name, inner]) : partsOf(layer);
}

function unsupported(name: string, kind: string): EspalierError {
  return new EspalierError(
    'UNSUPPORTED_LAYER',
    `layer "${name}" (${kind}) cannot be pruned: it is not in the registry of prunable layers. Give it a method ` +
      `getPrunableWeights(), leave it out by perLayer: { "${name}": false }, or choose layers by a policy`,
    { parameter: name, expected: 'a layer of the registry or a PrunableLayer', received: kind },
  );
}

function cellsOf(layer: Layer): Layer[] {
  const { cell } = layer as unknown as { cell: Layer & { cells?: Layer[] } };
  return cell.cells ?? [cell];
}

/** The weights of a built layer that get masks; those in a wrapper are named "forward/kernel", "layer/kernel". */
export function prunableWeights(layer: Layer, name = layer.name): NamedWeight[] {
  requireSupported(layer, name);
  if (isPrunableLayer(layer)) return ownWeights(layer, name);
  const className = layer.getClassName();
  if (RNNS.has(className)) {
    const cells = cellsOf(layer);
    return cells.flatMap((cell, i) => {
      const weights = isPrunableLayer(cell) ? ownWeights(cell, name) : pick(cell, CELL_WEIGHTS, name);
      return cells.length === 1 ? weights : weights.map((w) => ({ ...w, name: `cell_${i}/${w.name}` }));
    });
  }
  const own = pick(layer, WEIGHTS[className] ?? [], name);
  const inside = insideOf(layer).flatMap(([part, inner]) =>
    prunableWeights(inner, name).map((weight) => ({ ...weight, name: `${part}/${weight.name}` })),
  );
  return [...own, ...inside];
}

function pick(layer: Layer, names: readonly (readonly [string, string])[], owner: string): NamedWeight[] {
  return names.map(([name, property]) => {
    const variable = (layer as unknown as Record<string, LayerVariable | null | undefined>)[property];
    if (!variable) {
      const expected = 'a built layer: give the model its input shape first';
      throw invalid('INVALID_MODEL', `layer "${owner}"`, expected, 'no weights yet');
    }
    return { name, variable };
  });
}

function ownWeights(layer: PrunableLayer, owner: string): NamedWeight[] {
  const weights: unknown = layer.getPrunableWeights();
  if (!Array.isArray(weights)) {
    throw invalid('INVALID_MODEL', `getPrunableWeights of "${owner}"`, 'an array of layer weights', weights);
  }
  return weights.map((variable: LayerVariable | undefined) => {
    if (typeof variable?.read !== 'function') {
      throw invalid(
        'INVALID_MODEL',
        `getPrunableWeights of "${owner}"`,
        'weights made by addWeight',
        variable,
      );
    }
    return { name: variable.originalName.split('/').at(-1)!, variable };
  });
}
