/** Named tensors (a TFJS weights manifest) → the weights of layers. */
import { EspalierError } from '../../errors.js';
import { wrong } from '../../network/untrusted.js';
import type { WeightSpec } from '../../network/layers/kind.js';
import { sameShape, showShape } from '../../network/shapes.js';
import type { Tensor } from '../../network/types.js';
import type { WantedLayer, WeightSource } from './build.js';
import { boundName } from './pruned.js';

/** A weight of a file. `data` is read when asked for. */
export interface NamedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  read(): Float32Array;
}

/** Weights of a file that are of no layer: the optimizer's, and states of random generators. */
const NO_LAYERS = /(^|\/)(optimizer|seed_generator(_\d+)?)\//;

interface Entry extends NamedWeight {
  readonly dirs: string;
  readonly last: string;
  used: boolean;
}

/**
 * Finds weights by name: "dense/kernel", also "outer/dense/kernel" and "gru/gru_cell/kernel" with ":0" or without.
 * A name that could mean two layers is refused, as is a weight that no layer has.
 */
export function namedWeights(weights: readonly NamedWeight[]): WeightSource {
  const entries = weights.map((weight): Entry => {
    const name = weight.name.replace(/:0$/, '');
    const cut = name.lastIndexOf('/');
    const read = (): Float32Array => weight.read();
    return { ...weight, read, dirs: `/${name.slice(0, cut + 1)}`, last: name.slice(cut + 1), used: false };
  });
  const names = new Set<string>();
  const index = new Map<string, Entry[]>();
  for (const entry of entries) {
    if (names.has(entry.name)) throw wrong('weights', 'each weight named once', entry.name);
    names.add(entry.name);
    for (const dir of new Set(entry.dirs.split('/').filter((part) => part !== ''))) {
      const key = `${dir}\0${entry.last}`;
      if (!index.has(key)) index.set(key, []);
      index.get(key)!.push(entry);
    }
  }
  return {
    bind: (layers) => {
      const result = layers.map((): Record<string, Tensor> => ({}));
      const open = layers.flatMap((layer, i) =>
        layer.specs.map((spec) => ({ layer, spec, into: result[i]! })),
      );
      let left = open;
      for (const rule of RULES) {
        left = left.filter(({ layer, spec, into }) => {
          const entry = find(index, layer, spec, rule);
          if (entry === undefined) return true;
          entry.used = true;
          into[boundName(spec)] = tensorOf(entry, layer, spec);
          return false;
        });
      }
      for (const { layer, spec } of left) {
        if (spec.unused !== true) throw missing(layer, spec);
      }
      const surplus = entries.find((entry) => !entry.used && !NO_LAYERS.test(entry.name));
      if (surplus !== undefined) throw wrong('weights', 'weights of the model’s layers only', surplus.name);
      return result;
    },
  };
}

/** Strict rules first, so that a name that fits a layer exactly is not taken by another. */
const RULES: readonly ((dirs: string, path: readonly string[]) => boolean)[] = [
  (dirs, path) => dirs === `/${path.join('/')}/`,
  (dirs, path) => dirs === `/${path[path.length - 1]}/`,
  (dirs, path) => dirs.includes(`/${path.join('/')}/`),
  (dirs, path) => dirs.includes(`/${path[path.length - 1]}/`),
];

function find(
  index: ReadonlyMap<string, Entry[]>,
  layer: WantedLayer,
  spec: WeightSpec,
  rule: (dirs: string, path: readonly string[]) => boolean,
): Entry | undefined {
  const path =
    layer.wrapper !== null && spec.maskOf !== undefined
      ? [...layer.path.slice(0, -1), layer.wrapper]
      : layer.path;
  const name = path[path.length - 1]!;
  const component = name.slice(name.lastIndexOf('/') + 1);
  const found = [spec.name, ...(spec.alias === undefined ? [] : [spec.alias])]
    .flatMap((weight) => index.get(`${component}\0${weight.slice(weight.lastIndexOf('/') + 1)}`) ?? [])
    .filter((entry) => !entry.used && rule(entry.dirs, path) && inScope(entry, spec));
  if (found.length > 1) {
    const fitting = found.filter((entry) => sameShape(entry.shape, spec.shape));
    if (fitting.length === 1) return fitting[0];
    const names = found.slice(0, 3).map((entry) => entry.name);
    throw wrong(`layer ${layer.path.join('/')}: ${spec.name}`, 'one weight of that name', names.join(', '));
  }
  return found[0];
}

/** Weights of wrapped layers are named "forward/kernel": a part of the path starts with the scope. */
function inScope(entry: Entry, spec: WeightSpec): boolean {
  const cut = spec.name.lastIndexOf('/');
  return cut < 0 || entry.dirs.includes(`/${spec.name.slice(0, cut)}`);
}

function tensorOf(weight: NamedWeight, layer: WantedLayer, spec: WeightSpec): Tensor {
  const what = `layer ${layer.path.join('/')} (${layer.className}): ${spec.name}`;
  if (!sameShape(weight.shape, spec.shape)) {
    throw wrong(what, `shape ${showShape(spec.shape)}`, showShape(weight.shape));
  }
  const data = weight.read();
  if (spec.unused !== true) checkFinite(data, what);
  return { shape: spec.shape, data };
}

function checkFinite(data: Float32Array, what: string): void {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) throw wrong(what, 'finite weights', `${data[i]} at index ${i}`);
  }
}

export function missing(layer: WantedLayer, spec: WeightSpec): EspalierError {
  const name = layer.path.join('/');
  return new EspalierError(
    'INVALID_MODEL',
    `layer ${name} (${layer.className}): the weight ${spec.name} of shape ${showShape(spec.shape)} is missing`,
    { parameter: spec.name, layer: name, expected: showShape(spec.shape) },
  );
}

export { tensorOf };
