/**
 * Program → a TFJS layers model (model.json and weights.bin): the Keras-equivalent baseline of any network, also of
 * one that came from an .esp file. It is what a user of tfjs would have: Dense layers with their activations, a
 * BatchNormalization for scale and offset, Reshape only where an operation works on parts of a sample.
 */
import type { Activation, Operation, Program } from '../program/program.js';
import { EspalierError } from '../errors.js';
import { networkOfProgram } from './from-program.js';
import { toTfjsModel } from './tfjs.js';
import { denseValues, transposed } from '../program/dense.js';
import { OWN_ACTIVATION } from './port-names.js';
import { isImageOperation } from './onnx/images.js';

interface LayerConfig {
  class_name: string;
  name: string;
  config: Record<string, unknown>;
  inbound_nodes: [string, number, number, Record<string, never>][][];
}
interface WeightEntry {
  name: string;
  shape: number[];
  dtype: 'float32';
  data: Float32Array;
}

/** Activations that a layer of tfjs takes by name; the others become layers of their own. */
const NAMES: Partial<Record<Activation['kind'], string>> = {
  linear: 'linear',
  relu: 'relu',
  relu6: 'relu6',
  selu: 'selu',
  sigmoid: 'sigmoid',
  tanh: 'tanh',
  softplus: 'softplus',
  softsign: 'softsign',
  gelu: 'gelu',
  swish: 'swish',
};

/** The name by which tfjs knows the activation, if it has it with these parameters. */
function activationName({ kind, alpha, beta }: Activation): string | undefined {
  if (kind === 'elu' && alpha === 1) return 'elu';
  // tfjs has the slope of Keras 2 only.
  if (kind === 'hard_sigmoid' && near(alpha, 0.2) && near(beta, 0.5)) return 'hardSigmoid';
  return NAMES[kind];
}

const near = (a: number, b: number) => Math.abs(a - b) < 1e-6;

/** BatchNormalization adds this to the variance; with variance 1 - EPSILON nothing but scale and offset is left. */
const EPSILON = 1e-3;

class Topology {
  readonly layers: LayerConfig[] = [];
  readonly weights: WeightEntry[] = [];
  /** Shapes of layer outputs without the batch. */
  private readonly shapes = new Map<string, number[]>();

  add(className: string, shape: number[], config: Record<string, unknown>, inputs: string[]): string {
    const name = `${className.toLowerCase()}_${this.layers.length}`;
    this.layers.push({
      class_name: className,
      name,
      config: { name, ...config },
      inbound_nodes: inputs.length === 0 ? [] : [inputs.map((input) => [input, 0, 0, {}])],
    });
    this.shapes.set(name, shape);
    return name;
  }

  weight(layer: string, weight: string, shape: number[], data: Float32Array): void {
    this.weights.push({ name: `${layer}/${weight}`, shape, dtype: 'float32', data });
  }

  /** The value in this shape: as it is, or through a Reshape. */
  shaped(name: string, shape: number[]): string {
    if (this.shapes.get(name)?.join() === shape.join()) return name;
    return this.add('Reshape', shape, { target_shape: shape }, [name]);
  }

  shape(name: string): number[] {
    return this.shapes.get(name) ?? [];
  }

  affine(name: string, scale: Float32Array, offset: Float32Array): string {
    const period = scale.length;
    const config = { axis: -1, epsilon: EPSILON, momentum: 0.99, center: true, scale: true };
    const layer = this.add('BatchNormalization', this.shape(name), config, [name]);
    this.weight(layer, 'gamma', [period], scale);
    this.weight(layer, 'beta', [period], offset);
    this.weight(layer, 'moving_mean', [period], new Float32Array(period));
    this.weight(layer, 'moving_variance', [period], new Float32Array(period).fill(1 - EPSILON));
    return layer;
  }

  activate(name: string, activation: Activation): string {
    const { kind, alpha, beta } = activation;
    const shape = this.shape(name);
    const byName = activationName(activation);
    if (byName === 'linear') return name;
    if (byName !== undefined) return this.add('Activation', shape, { activation: byName }, [name]);
    switch (kind) {
      case 'leaky_relu':
        return this.add('LeakyReLU', shape, { alpha }, [name]);
      case 'hard_sigmoid': {
        // clip(a x + b, 0, 1) = relu6(6 a x + 6 b) / 6
        const scaled = this.scalar(name, 6 * alpha, 6 * beta);
        return this.scalar(this.add('Activation', shape, { activation: 'relu6' }, [scaled]), 1 / 6, 0);
      }
      case 'elu':
      case 'gelu_tanh':
      case 'exponential':
        return this.add(OWN_ACTIVATION, shape, { kind, alpha }, [name]);
      default:
        throw unsupported(kind);
    }
  }

  private scalar(name: string, scale: number, offset: number): string {
    const last = this.shape(name).at(-1) ?? 1;
    return this.affine(name, new Float32Array(last).fill(scale), new Float32Array(last).fill(offset));
  }
}

function unsupported(what: string): EspalierError {
  return new EspalierError('UNSUPPORTED_LAYER', `tfjs: "${what}" has no equivalent among its layers`, {
    parameter: what,
  });
}

function operate(topology: Topology, program: Program, operation: Operation, names: string[]): string {
  const value = (index: number) => names[index] ?? '';
  const featuresOf = (index: number) => program.values[index]?.features ?? 0;
  const features = featuresOf(operation.output);
  switch (operation.op) {
    case 'linear': {
      const { rows, cols } = operation.weight;
      const { positions, bias } = operation;
      const lanes = positions === 1 ? [] : [positions];
      const input = topology.shaped(value(operation.input), [...lanes, cols]);
      const named = activationName(operation.activation);
      const config = { units: rows, use_bias: bias !== null, activation: named ?? 'linear' };
      const layer = topology.add('Dense', [...lanes, rows], config, [input]);
      topology.weight(layer, 'kernel', [cols, rows], transposed(denseValues(operation.weight), rows, cols));
      if (bias !== null) topology.weight(layer, 'bias', [rows], bias);
      return named === undefined ? topology.activate(layer, operation.activation) : layer;
    }
    case 'affine': {
      const period = operation.scale.length;
      const shape = period === features ? [features] : [features / period, period];
      const input = topology.shaped(value(operation.input), shape);
      return topology.activate(
        topology.affine(input, operation.scale, operation.offset),
        operation.activation,
      );
    }
    case 'activate':
      return topology.activate(value(operation.input), operation.activation);
    case 'softmax': {
      const { group } = operation;
      const shape = group === features ? [features] : [features / group, group];
      const input = topology.shaped(value(operation.input), shape);
      return topology.add('Softmax', shape, { axis: -1 }, [input]);
    }
    case 'add': {
      const inputs = operation.inputs.map((input) => topology.shaped(value(input), [features]));
      return topology.activate(topology.add('Add', [features], {}, inputs), operation.activation);
    }
    case 'concat': {
      const { outer } = operation;
      const shape = (count: number) => (outer === 1 ? [count] : [outer, count / outer]);
      const inputs = operation.inputs.map((input) => topology.shaped(value(input), shape(featuresOf(input))));
      return topology.add('Concatenate', shape(features), { axis: -1 }, inputs);
    }
    default:
      throw unsupported((operation as Operation).op);
  }
}

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
  if (program.operations.some(isImageOperation)) return imageNetwork(program);
  const topology = new Topology();
  const names: string[] = [];
  const extents = (shape: readonly (number | null)[]) => shape.slice(1).map((extent) => extent ?? 1);
  const inputs = program.inputs.map((port) => {
    const shape = extents(port.shape);
    const config = { batch_input_shape: [null, ...shape], dtype: 'float32', sparse: false };
    const name = topology.add('InputLayer', shape, config, []);
    names[port.value] = topology.shaped(name, [program.values[port.value]?.features ?? 0]);
    return name;
  });
  for (const operation of program.operations) {
    names[operation.output] = operate(topology, program, operation, names);
  }
  // A layer of its own for each output, as tfjs answers one tensor for an output that is named twice.
  const used = new Set(inputs);
  const outputs = program.outputs.map((port) => {
    const shape = extents(port.shape);
    const name = topology.shaped(names[port.value] ?? '', shape);
    const own = used.has(name) ? topology.add('Activation', shape, { activation: 'linear' }, [name]) : name;
    used.add(own);
    return own;
  });
  const ends = (layers: string[]) => layers.map((name) => [name, 0, 0]);
  const weights = new Uint8Array(topology.weights.reduce((sum, { data }) => sum + data.byteLength, 0));
  let offset = 0;
  for (const { data } of topology.weights) {
    weights.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  const manifest = {
    format: 'layers-model',
    generatedBy: 'espalier',
    modelTopology: {
      class_name: 'Functional',
      config: {
        name: 'network',
        layers: topology.layers,
        input_layers: ends(inputs),
        output_layers: ends(outputs),
      },
    },
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: topology.weights.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
      },
    ],
  };
  return { manifest, weights };
}

/** Convolutional networks are exported as Keras layers; tfjs has no layers for some activations of theirs. */
function imageNetwork(program: Program): TfjsArtifacts {
  const { modelTopology, weightSpecs, weightData } = toTfjsModel(networkOfProgram(program));
  const manifest = {
    format: 'layers-model',
    generatedBy: 'espalier',
    modelTopology,
    weightsManifest: [{ paths: ['weights.bin'], weights: weightSpecs }],
  };
  return { manifest, weights: weightData };
}
