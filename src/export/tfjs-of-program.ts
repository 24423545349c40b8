/**
 * Program → a TFJS layers model (model.json and weights.bin): the Keras-equivalent baseline of any network, also of one
 * that came from an .esp file. It is the model that `export` writes; only activations that tfjs lacks become the layer
 * that a user of tfjs would write himself, where `export` refuses them.
 */
import type { Activation } from '../network/activations.js';
import { LINEAR } from '../network/activations.js';
import type { Layer, Network, Node, Value } from '../network/types.js';
import type { Program } from '../program/program.js';
import { networkOfProgram } from './from-program.js';
import { OWN_ACTIVATION } from './port-names.js';
import { toTfjsModel } from './tfjs.js';

export interface TfjsArtifacts {
  /** What model.json holds. */
  manifest: Record<string, unknown>;
  /** weights.bin. */
  weights: Uint8Array;
}

/**
 * The files of a TFJS layers model with dense weights, zeros included. Inputs and outputs are in the program's order
 * and shapes. Throws UNSUPPORTED_LAYER for what the layers of tfjs do not have.
 */
export function toTfjs(program: Program): TfjsArtifacts {
  const { network, own } = withOwnActivations(networkOfProgram(program));
  const { modelTopology, weightSpecs, weightData } = toTfjsModel(network);
  const { model_config: model } = modelTopology as unknown as { model_config: WrittenConfig };
  for (const layer of model.config.layers) {
    const activation = own.get(layer.name);
    if (activation === undefined) continue;
    layer.class_name = OWN_ACTIVATION;
    layer.config = { name: layer.name, ...activation };
  }
  const manifest = {
    format: 'layers-model',
    generatedBy: 'espalier',
    modelTopology,
    weightsManifest: [{ paths: ['weights.bin'], weights: weightSpecs }],
  };
  return { manifest, weights: weightData };
}

/** What of a written model is changed here. */
interface WrittenConfig {
  readonly config: { readonly layers: { readonly name: string; class_name: string; config: unknown }[] };
}

/** Activations that tfjs does not have, and that its layer of our own computes. */
const isOwn = (activation: Activation): boolean =>
  activation.kind === 'gelu_tanh' ||
  activation.kind === 'exponential' ||
  (activation.kind === 'elu' && activation.alpha !== 1);

/**
 * The network with each such activation as a linear Activation layer, whose place the own one takes once the model is
 * written; `own` tells which, by the layer's name.
 */
function withOwnActivations(network: Network): { network: Network; own: Map<string, Activation> } {
  const own = new Map<string, Activation>();
  const taken = new Set([...network.layers, ...network.inputs].map(({ name }) => name));
  const stand = (activation: Activation): Layer => {
    let name = `own_activation_${own.size}`;
    while (taken.has(name)) name = `${name}_`;
    own.set(name, activation);
    return { name, kind: 'Activation', settings: { activation: LINEAR }, weights: {} };
  };
  const layers: Layer[] = [...network.layers];
  const values: Value[] = [...network.values];
  const nodes = network.nodes.flatMap((node): Node[] => {
    const layer = network.layers[node.layer]!;
    const { settings } = layer;
    if (!('activation' in settings) || !isOwn(settings.activation)) return [node];
    const { activation } = settings;
    const alone = layers.push(stand(activation)) - 1;
    if (layer.kind === 'Activation') return [{ ...node, layer: alone }];
    // The kind and its settings stay what they are to each other; a spread forgets that they do.
    layers[node.layer] = { ...layer, settings: { ...settings, activation: LINEAR } } as Layer;
    const between = values.push(network.values[node.outputs[0]!]!) - 1;
    return [
      { ...node, outputs: [between] },
      { layer: alone, inputs: [between], outputs: node.outputs },
    ];
  });
  return { network: { ...network, layers, values, nodes }, own };
}
