/** Network → Program, an operation or more a call of a layer, before any pass. */
import { EspalierError } from '../../errors.js';
import { KINDS, isKind, type Kind, type Typed } from '../../network/layers/registry.js';
import type { Layer, Network, Port, Tensor } from '../../network/types.js';
import {
  PROGRAM_VERSION,
  type Matrix,
  type Operation,
  type Program,
  type ProgramPort,
} from '../../program/program.js';
import {
  checkedLength,
  featuresOf,
  sampleShape,
  unsupported,
  type LoweringContext,
  type NewOperation,
  type ProgramValue,
} from './lowering.js';
import { LOWERINGS } from './table.js';

/** Throws UNSUPPORTED_LAYER naming the first layer that the engine cannot run. */
export function lower(network: Network): Program {
  const values: ProgramValue[] = [];
  const operations: Operation[] = [];
  /** Value of the network → value of the program. */
  const placed = new Map<number, number>();
  const matrices = new Map<string, Matrix>();
  const shapeOf = (value: number, who: string) => sampleShape(network.values[value]?.shape ?? [], who);
  const placeOf = (value: number, who: string): number => {
    const place = placed.get(value);
    if (place === undefined)
      throw new EspalierError('INVALID_MODEL', `${who}: a value is used before it is made`);
    return place;
  };
  const port = ({ name, value }: Port): ProgramPort => ({
    name,
    shape: [null, ...shapeOf(value, name).slice(1)],
    dtype: 'float32',
    value: placeOf(value, name),
  });

  for (const { name, value } of network.inputs) {
    placed.set(value, values.length);
    values.push({ features: featuresOf(shapeOf(value, name)) });
  }
  for (const node of network.nodes) {
    const layer = network.layers[node.layer];
    if (layer === undefined)
      throw new EspalierError('INVALID_MODEL', `a node calls layer ${node.layer}, which is none`);
    const context: LoweringContext = {
      layer,
      inputShapes: node.inputs.map((value) => shapeOf(value, layer.name)),
      outputShapes: node.outputs.map((value) => shapeOf(value, layer.name)),
      inputs: node.inputs.map((value) => placeOf(value, layer.name)),
      add: (operation: NewOperation, features: number): number => {
        checkedLength(layer, 'a sample of its values', features);
        values.push({ features });
        operations.push({ ...operation, name: layer.name, output: values.length - 1 });
        return values.length - 1;
      },
      once: (key, make) => {
        const whole = `${node.layer} ${key}`;
        const matrix = matrices.get(whole) ?? make();
        matrices.set(whole, matrix);
        return matrix;
      },
      weight: (name) => weightOf(layer, name).data,
      weightShape: (name) => weightOf(layer, name).shape,
      inside: (inner, call) => {
        const named = { name: layer.name, kind: inner.kind };
        return [lowerLayer(inner, { ...context, layer: named, ...call })].flat();
      },
    };
    // Tables of a lowering are as long as its values: these are checked before any is made.
    for (const shape of [...context.inputShapes, ...context.outputShapes]) {
      checkedLength(layer, 'a sample', featuresOf(shape));
    }
    const outputs = [lowerLayer(layer, context)].flat();
    node.outputs.forEach((value, i) => placed.set(value, outputs[i] as number));
  }
  return {
    version: PROGRAM_VERSION,
    name: network.name,
    values,
    inputs: network.inputs.map(port),
    outputs: network.outputs.map(port),
    operations,
  };
}

function lowerLayer<K extends Kind>(layer: Typed<K>, context: LoweringContext): number | readonly number[] {
  if (!isKind(layer.kind)) {
    throw unsupported(context.layer, 'this kind of layer', `it runs ${KINDS.join(', ')}`);
  }
  return LOWERINGS[layer.kind](context, layer.settings);
}

function weightOf(layer: Layer, name: string): Tensor {
  const tensor = Object.hasOwn(layer.weights, name) ? layer.weights[name] : undefined;
  if (tensor === undefined) throw new EspalierError('INVALID_MODEL', `layer ${layer.name} has no ${name}`);
  return tensor;
}
