/** tfmot's policy for XNNPACK (`pruning_policy.py`). */
import { EspalierError } from '../../errors.js';
import type { PruningPolicy } from './policy.js';
import { text, topologyOf, type TopologyNode } from './topology.js';

const PLAIN = new Set(['Add', 'Multiply', 'ZeroPadding2D', 'ReLU', 'LeakyReLU', 'ELU', 'Dropout']);
const ACTIVATIONS = new Set(['relu', 'relu6', 'leaky_relu', 'elu', 'sigmoid']);
const OPERATIONS = new Set(['identity', 'add', 'subtract', 'multiply']);

/**
 * Prunes the 1×1 convolutions of a network that XNNPACK runs sparse: between a 3×3 convolution of stride 2 on 3 channels
 * after a ZeroPadding2D of 1 and a GlobalAveragePooling2D there may be nothing that its sparse kernels do not take.
 * Elsen et al. 2020, "Fast Sparse ConvNets", arXiv:1911.09723.
 */
export class PruneForLatencyOnXNNPack implements PruningPolicy {
  /**
   * The names of the layers that are pruned.
   * @param model a LayersModel, or its topology as JSON
   * @throws EspalierError UNSUPPORTED_LAYER where tfmot raises, with the same sentence and the layer's name
   */
  select(model: unknown): string[] {
    const { nodes, inputs, outputs } = topologyOf(model);
    const starts = lookUp(inputs, isStart, ({ consumers }) => consumers);
    if (starts.size === 0) {
      throw refused(
        'Could not find `Conv2D 3x3` layer with stride 2x2, `input filters == 3` and `VALID` padding and preceding ' +
          '`ZeroPadding2D` with `padding == 1` in all input branches of the model',
      );
    }
    const isEnd = ({ className }: TopologyNode) => className === 'GlobalAveragePooling2D';
    const ends = lookUp(outputs, isEnd, ({ producers }) => producers);
    if (ends.size === 0)
      throw refused('Could not find a `GlobalAveragePooling2D` layer in all output branches');
    const visit = (node: TopologyNode) => {
      if (ends.has(node)) return true;
      if (isSupported(node)) return false;
      const name = this.constructor.name;
      throw refused(`Layer ${node.className} is not supported for the ${name} pruning policy`, node.path);
    };
    lookUp(
      [...starts].flatMap(({ consumers }) => consumers),
      visit,
      ({ consumers }) => consumers,
    );
    return nodes.filter((node) => isConv2D(node) && square(node, 'kernel_size', 1)).map(({ path }) => path);
  }
}

function refused(message: string, layer?: string): EspalierError {
  const named = layer === undefined ? message : `${message}: "${layer}"`;
  return new EspalierError('UNSUPPORTED_LAYER', named, { parameter: layer ?? 'model' });
}

/** All layers that stop each way from the sources; none at all if one way ends without. */
function lookUp(
  sources: readonly TopologyNode[],
  stops: (node: TopologyNode) => boolean,
  next: (node: TopologyNode) => readonly TopologyNode[],
): Set<TopologyNode> {
  const used = new Set(sources);
  const found = new Set<TopologyNode>();
  // A set is walked in the order of insertion, what is added on the way included.
  for (const node of used) {
    if (stops(node)) {
      found.add(node);
      continue;
    }
    const following = next(node);
    if (following.length === 0) return new Set();
    for (const other of following) used.add(other);
  }
  return found;
}

/** Conv2DTranspose is a Conv2D in Keras. */
const isConv2D = ({ className }: TopologyNode) => className === 'Conv2D' || className === 'Conv2DTranspose';

function isStart(node: TopologyNode): boolean {
  if (!isConv2D(node)) return false;
  const [producer] = node.producers;
  const third = node.className === 'Conv2D' ? inChannels(node) : node.config['filters'];
  return (
    square(node, 'kernel_size', 3) &&
    third === 3 &&
    square(node, 'strides', 2) &&
    padding(node) === 'valid' &&
    node.producers.length === 1 &&
    padsBy(producer!, 1)
  );
}

function inChannels(node: TopologyNode): number | null {
  if (node.inChannels !== null) return node.inChannels;
  let at = node.producers[0];
  while (at?.className === 'ZeroPadding2D' && at.producers.length === 1) at = at.producers[0];
  const shape = at?.config['batch_input_shape'] ?? at?.config['batch_shape'];
  const channels: unknown = Array.isArray(shape) ? shape.at(-1) : at?.config['filters'];
  return typeof channels === 'number' ? channels : null;
}

function isSupported(node: TopologyNode): boolean {
  const { className, config } = node;
  if (PLAIN.has(className)) return true;
  switch (className) {
    case 'DepthwiseConv2D':
      return isSupportedDepthwise(node);
    case 'Conv2D':
    case 'Conv2DTranspose':
      return (
        (config['groups'] ?? 1) === 1 &&
        square(node, 'dilation_rate', 1) &&
        square(node, 'kernel_size', 1) &&
        square(node, 'strides', 1)
      );
    case 'GlobalAveragePooling2D':
      return config['keepdims'] === true;
    case 'BatchNormalization': {
      const axis: unknown =
        Array.isArray(config['axis']) && config['axis'].length === 1 ? config['axis'][0] : config['axis'];
      return axis === 3 || axis === -1 || axis === undefined;
    }
    case 'UpSampling2D':
      return config['interpolation'] === 'bilinear';
    case 'Activation':
      return ACTIVATIONS.has(text(config['activation']));
    case 'TFOpLambda':
      return OPERATIONS.has(text(config['function']).split('.').at(-1)!);
    default:
      return false;
  }
}

/** 3×3 or 5×5, SAME with stride 1, or VALID with stride 1 or 2 after a ZeroPadding2D that fits. */
function isSupportedDepthwise(node: TopologyNode): boolean {
  const { config, producers } = node;
  if ((config['depth_multiplier'] ?? 1) !== 1 || !square(node, 'dilation_rate', 1)) return false;
  return [3, 5].some((size) => {
    if (!square(node, 'kernel_size', size)) return false;
    if (padding(node) === 'same') return square(node, 'strides', 1);
    const padded = producers.length === 1 && padsBy(producers[0]!, (size - 1) / 2);
    return padding(node) === 'valid' && padded && (square(node, 'strides', 1) || square(node, 'strides', 2));
  });
}

function square({ config }: TopologyNode, key: string, value: number): boolean {
  const given = config[key] ?? 1;
  return Array.isArray(given)
    ? given.length === 2 && given.every((extent) => extent === value)
    : given === value;
}

const padding = ({ config }: TopologyNode) => text(config['padding'] ?? 'valid').toLowerCase();

function padsBy({ className, config }: TopologyNode, value: number): boolean {
  if (className !== 'ZeroPadding2D') return false;
  const flat = [config['padding'] ?? 1].flat(3);
  return flat.length > 0 && flat.every((extent) => extent === value);
}
