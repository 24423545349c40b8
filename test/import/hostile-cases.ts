/**
 * Hostile models in all three forms: each case is the base network with one thing wrong, as a TFJS folder, an .h5 file
 * and a .keras file where the form can have it.
 */
import { deflateRawSync } from 'node:zlib';
import type * as H5 from 'h5wasm';
import { zipSync } from 'fflate';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Config = Record<string, any>;

export interface HostileCase {
  readonly name: string;
  /** Files by their names; `entry` is what is inspected. A text instead of bytes is the target of a link. */
  readonly files: Readonly<Record<string, Uint8Array | { readonly link: string }>>;
  readonly entry: string;
  readonly expect: 'reject' | 'either';
}

interface Weight {
  name: string;
  shape: number[];
  data: Float32Array;
}

function weight(name: string, shape: number[]): Weight {
  const length = shape.reduce((a, b) => a * b, 1);
  return { name, shape, data: Float32Array.from({ length }, (_, i) => ((i % 7) - 3) / 8) };
}

/** A convolution, a pooling, two Dense layers with an Add around one of them. */
export function base(): { model: Config; weights: Weight[] } {
  const layer = (class_name: string, name: string, config: Config, ...inputs: string[]): Config => ({
    class_name,
    name,
    config: { name, trainable: true, dtype: 'float32', ...config },
    inbound_nodes: inputs.length === 0 ? [] : [inputs.map((input) => [input, 0, 0, {}])],
  });
  const model = {
    class_name: 'Functional',
    config: {
      name: 'base',
      layers: [
        layer('InputLayer', 'x', { batch_input_shape: [null, 6, 6, 3], sparse: false }),
        layer(
          'Conv2D',
          'c',
          {
            ...{
              filters: 4,
              kernel_size: [3, 3],
              strides: [1, 1],
              padding: 'valid',
              data_format: 'channels_last',
            },
            ...{ dilation_rate: [1, 1], groups: 1, activation: 'relu', use_bias: true },
          },
          'x',
        ),
        layer('MaxPooling2D', 'p', { pool_size: [2, 2], strides: [2, 2], padding: 'valid' }, 'c'),
        layer('Flatten', 'f', {}, 'p'),
        layer('Dense', 'd', { units: 16, activation: 'relu', use_bias: true }, 'f'),
        layer('Add', 'a', {}, 'd', 'f'),
        layer('Dense', 'e', { units: 2, activation: 'linear', use_bias: true }, 'a'),
      ],
      input_layers: [['x', 0, 0]],
      output_layers: [['e', 0, 0]],
    },
  };
  const weights = [
    weight('c/kernel', [3, 3, 3, 4]),
    weight('c/bias', [4]),
    weight('d/kernel', [16, 16]),
    weight('d/bias', [16]),
    weight('e/kernel', [16, 2]),
    weight('e/bias', [2]),
  ];
  return { model, weights };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export interface Shape {
  model: Config;
  weights: Weight[];
  /** TFJS only: entries of the manifest and what lies beside it. */
  manifest: Config[];
  shards: Record<string, Uint8Array | { link: string }>;
  /** A change of the JSON text itself. */
  text?: (json: string) => string;
}

function shapeOf(): Shape {
  const { model, weights } = base();
  return { model, weights, ...manifestOf(weights) };
}

export function manifestOf(weights: readonly Weight[]): Pick<Shape, 'manifest' | 'shards'> {
  const bytes = Buffer.concat(weights.map(({ data }) => new Uint8Array(data.buffer)));
  const entries = weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' }));
  return { manifest: [{ paths: ['w.bin'], weights: entries }], shards: { 'w.bin': Uint8Array.from(bytes) } };
}

export function asTfjs(shape: Shape): HostileCase['files'] {
  const json = JSON.stringify({
    format: 'layers-model',
    modelTopology: { keras_version: '2.15.0', backend: 'tensorflow', model_config: shape.model },
    weightsManifest: shape.manifest,
  });
  return { 'model.json': bytesOf(shape.text?.(json) ?? json), ...shape.shards };
}

export async function asH5(
  { model, weights, text }: Shape,
  change?: (file: H5.File, h5: typeof H5) => void,
): Promise<Uint8Array> {
  const h5 = await import('h5wasm');
  const { FS } = await h5.ready;
  const path = `/hostile-${process.hrtime.bigint()}.h5`;
  const file = new h5.File(path, 'w');
  const json = JSON.stringify(model);
  file.create_attribute('keras_version', '2.15.0');
  file.create_attribute('backend', 'tensorflow');
  file.create_attribute('model_config', text?.(json) ?? json);
  const root = file.create_group('model_weights');
  const names = [...new Set(weights.map(({ name }) => name.split('/')[0]!))];
  root.create_attribute('layer_names', names, [names.length]);
  for (const name of names) {
    const own = weights.filter((w) => w.name.startsWith(`${name}/`));
    const group = root.create_group(name);
    group.create_attribute(
      'weight_names',
      own.map((w) => `${w.name}:0`),
      [own.length],
    );
    group.create_group(name);
    for (const w of own)
      group.create_dataset({ name: `${w.name}:0`, data: w.data, shape: w.shape, dtype: '<f' });
  }
  change?.(file, h5);
  file.flush();
  file.close();
  const bytes = FS.readFile(path);
  FS.unlink(path);
  return bytes;
}

export async function weightsH5(weights: readonly Weight[]): Promise<Uint8Array> {
  const h5 = await import('h5wasm');
  const { FS } = await h5.ready;
  const path = `/hostile-${process.hrtime.bigint()}.h5`;
  const file = new h5.File(path, 'w');
  const layers = file.create_group('layers');
  const groups: Record<string, string> = { c: 'conv2d', d: 'dense', e: 'dense_1', z: 'dense_2' };
  for (const [layer, name] of Object.entries(groups)) {
    if (!weights.some((w) => w.name.startsWith(`${layer}/`))) continue;
    const vars = layers.create_group(name).create_group('vars');
    weights
      .filter((w) => w.name.startsWith(`${layer}/`))
      .forEach((w, i) => vars.create_dataset({ name: String(i), data: w.data, shape: w.shape, dtype: '<f' }));
  }
  file.flush();
  file.close();
  const bytes = FS.readFile(path);
  FS.unlink(path);
  return bytes;
}

export async function asKeras({ model, weights, text }: Shape): Promise<Uint8Array> {
  const json = JSON.stringify(model);
  return zipSync({
    'metadata.json': bytesOf('{"keras_version": "2.15.0"}'),
    'config.json': bytesOf(text?.(json) ?? json),
    'model.weights.h5': await weightsH5(weights),
  });
}

/** A change of the model or its weights that every form can have. */
type Change = (shape: Shape) => void;
const layer = (shape: Shape, name: string): Config =>
  (shape.model.config.layers as Config[]).find((l) => l.name === name)!;
const set =
  (name: string, key: string, value: unknown): Change =>
  (shape) => {
    (layer(shape, name).config as Config)[key] = value;
  };
const top =
  (key: string, value: unknown): Change =>
  (shape) => {
    (shape.model.config as Config)[key] = value;
  };
/** JSON.stringify cannot write what is no JSON: a marker is replaced in the text. */
const literal =
  (name: string, key: string, value: string): Change =>
  (shape) => {
    set(name, key, '@@')(shape);
    shape.text = (json) => json.replace('"@@"', value);
  };
const deep = (levels: number): string => `${'['.repeat(levels)}1${']'.repeat(levels)}`;

export const CHANGES: Readonly<Record<string, Change>> = {
  'units negative': set('d', 'units', -16),
  'units zero': set('d', 'units', 0),
  'units a fraction': set('d', 'units', 16.5),
  'units a string': set('d', 'units', '16'),
  'units true': set('d', 'units', true),
  'units a list': set('d', 'units', [16]),
  'units an object': set('d', 'units', { value: 16 }),
  'units null': set('d', 'units', null),
  'units 1e308': set('d', 'units', 1e308),
  'units 2^31': set('d', 'units', 2 ** 31),
  'units NaN': literal('d', 'units', 'NaN'),
  'units Infinity': literal('d', 'units', 'Infinity'),
  'units 1e999': literal('d', 'units', '1e999'),
  'filters negative': set('c', 'filters', -4),
  'filters huge': set('c', 'filters', 2 ** 53),
  'kernel_size zero': set('c', 'kernel_size', [0, 3]),
  'kernel_size negative': set('c', 'kernel_size', [-3, 3]),
  'kernel_size of three': set('c', 'kernel_size', [3, 3, 3]),
  'kernel_size empty': set('c', 'kernel_size', []),
  'kernel_size a string': set('c', 'kernel_size', '3'),
  'kernel_size beyond the image': (shape) => {
    set('c', 'kernel_size', [9, 9])(shape);
  },
  'strides zero': set('c', 'strides', [0, 0]),
  'strides negative': set('c', 'strides', [-1, 1]),
  'strides a fraction': set('c', 'strides', [1.5, 1]),
  'strides NaN': literal('c', 'strides', '[NaN, 1]'),
  'strides null inside': set('c', 'strides', [null, 1]),
  'dilation negative': set('c', 'dilation_rate', [-1, 1]),
  'dilation huge': set('c', 'dilation_rate', [2 ** 31, 1]),
  'dilation beyond the image': set('c', 'dilation_rate', [4, 4]),
  'groups zero': set('c', 'groups', 0),
  'groups negative': set('c', 'groups', -1),
  'groups that do not divide': set('c', 'groups', 2),
  'groups a fraction': set('c', 'groups', 1.5),
  'padding unknown': set('c', 'padding', 'reflect'),
  'padding causal of an image': set('c', 'padding', 'causal'),
  'padding a number': set('c', 'padding', 1),
  channels_first: set('c', 'data_format', 'channels_first'),
  'channels_first of a pooling': set('p', 'data_format', 'channels_first'),
  'channels_first of Flatten': set('f', 'data_format', 'channels_first'),
  'data_format a number': set('c', 'data_format', 3),
  'use_bias a string': set('d', 'use_bias', 'false'),
  'use_bias a number': set('d', 'use_bias', 0),
  'pool larger than the image': set('p', 'pool_size', [5, 5]),
  'pool_size negative': set('p', 'pool_size', [-2, 2]),
  'pool_size huge': set('p', 'pool_size', [2 ** 53, 2]),
  'pool strides zero': set('p', 'strides', [0, 2]),
  'activation unknown': set('d', 'activation', 'evil'),
  'activation __proto__': set('d', 'activation', '__proto__'),
  'activation constructor': set('d', 'activation', 'constructor'),
  'activation a list': set('d', 'activation', ['relu']),
  'activation a number': set('d', 'activation', 7),
  'activation an object': set('d', 'activation', { class_name: 'Evil', config: {} }),
  'class unknown': (shape) => (layer(shape, 'd').class_name = 'Evil'),
  'class toString': (shape) => (layer(shape, 'd').class_name = 'toString'),
  'class __proto__': (shape) => (layer(shape, 'd').class_name = '__proto__'),
  'class a list': (shape) => (layer(shape, 'd').class_name = ['Dense']),
  'class null': (shape) => (layer(shape, 'd').class_name = null),
  Lambda: (shape) => (layer(shape, 'd').class_name = 'Lambda'),
  'a custom class': (shape) => (layer(shape, 'd').registered_name = 'evil>Dense'),
  'config null': (shape) => (layer(shape, 'd').config = null),
  'config a list': (shape) => (layer(shape, 'd').config = []),
  'config a string': (shape) => (layer(shape, 'd').config = 'units=16'),
  'name empty': (shape) => Object.assign(layer(shape, 'd'), { name: '', config: { name: '' } }),
  'name a number': set('d', 'name', 7),
  'name twice': (shape) => Object.assign(layer(shape, 'e').config as Config, { name: 'd' }),
  'name very long': set('d', 'name', 'd'.repeat(100_000)),
  'dtype int8': set('d', 'dtype', 'int8'),
  'dtype unknown': set('d', 'dtype', 'float128'),
  'dtype a number': set('d', 'dtype', 32),
  'dtype of the input unknown': set('x', 'dtype', 'complex64'),
  'input negative': set('x', 'batch_input_shape', [null, -6, 6, 3]),
  'input zero': set('x', 'batch_input_shape', [null, 0, 6, 3]),
  'input a fraction': set('x', 'batch_input_shape', [null, 6.5, 6, 3]),
  'input strings': set('x', 'batch_input_shape', [null, '6', 6, 3]),
  'input of 2^31': set('x', 'batch_input_shape', [null, 2 ** 31, 6, 3]),
  'input that overflows': set('x', 'batch_input_shape', [null, 2 ** 30, 2 ** 30, 3]),
  'input of 100,000 x 100,000': set('x', 'batch_input_shape', [null, 100_000, 100_000, 3]),
  'input of rank 9': set('x', 'batch_input_shape', [null, 1, 1, 1, 1, 1, 1, 6, 3]),
  'input of rank 0': set('x', 'batch_input_shape', []),
  'input shape null': set('x', 'batch_input_shape', null),
  'input shape an object': set('x', 'batch_input_shape', { length: 4 }),
  'input sparse': set('x', 'sparse', true),
  'no layers': top('layers', []),
  'layers null': top('layers', null),
  'layers an object': top('layers', {}),
  'layers of null': top('layers', [null]),
  'layers of numbers': top('layers', [1, 2]),
  'no inputs': top('input_layers', []),
  'no outputs': top('output_layers', []),
  'inputs a string': top('input_layers', 'x'),
  'outputs null': top('output_layers', null),
  'output of nothing': top('output_layers', [['nothing', 0, 0]]),
  'output of a call that is not': top('output_layers', [['e', 1, 0]]),
  'output of a tensor that is not': top('output_layers', [['e', 0, 1]]),
  'output with a negative call': top('output_layers', [['e', -1, 0]]),
  'output with a huge call': top('output_layers', [['e', 1e15, 0]]),
  'output with a fraction': top('output_layers', [['e', 0.5, 0]]),
  'input that is no InputLayer': top('input_layers', [['d', 0, 0]]),
  'a cycle': (shape) => (layer(shape, 'd').inbound_nodes = [[['e', 0, 0, {}]]]),
  'a layer that feeds itself': (shape) => (layer(shape, 'd').inbound_nodes = [[['d', 0, 0, {}]]]),
  'a Dense of two inputs': (shape) =>
    (layer(shape, 'd').inbound_nodes = [
      [
        ['f', 0, 0, {}],
        ['f', 0, 0, {}],
      ],
    ]),
  'a Dense of none': (shape) => (layer(shape, 'd').inbound_nodes = [[]]),
  'an Add of one': (shape) => (layer(shape, 'a').inbound_nodes = [[['d', 0, 0, {}]]]),
  'an Add of shapes that differ': (shape) =>
    (layer(shape, 'a').inbound_nodes = [
      [
        ['d', 0, 0, {}],
        ['c', 0, 0, {}],
      ],
    ]),
  'inbound_nodes a string': (shape) => (layer(shape, 'd').inbound_nodes = 'f'),
  'inbound_nodes of numbers': (shape) => (layer(shape, 'd').inbound_nodes = [[[1, 2, 3]]]),
  'inbound_nodes deep': (shape) => {
    layer(shape, 'd').inbound_nodes = '@@';
    shape.text = (json) => json.replace('"@@"', deep(500));
  },
  'inbound_nodes very deep': (shape) => {
    layer(shape, 'd').inbound_nodes = '@@';
    shape.text = (json) => json.replace('"@@"', deep(5000));
  },
  'a config very deep': literal('d', 'kernel_initializer', deep(20_000)),
  'a call with an unknown argument': (shape) =>
    (layer(shape, 'd').inbound_nodes = [[['f', 0, 0, { evil: 1 }]]]),
  'a weight NaN': (shape) => (shape.weights[2]!.data[3] = NaN),
  'a weight Infinity': (shape) => (shape.weights[2]!.data[3] = Infinity),
  'a weight -Infinity': (shape) => (shape.weights[5]!.data[1] = -Infinity),
  'a kernel transposed': (shape) => (shape.weights[4]!.shape = [2, 16]),
  'a kernel flat': (shape) => (shape.weights[2]!.shape = [256]),
  'a weight left out': (shape) => shape.weights.splice(3, 1),
  'a weight too many': (shape) => shape.weights.push(weight('d/extra', [16])),
  'a weight of no layer': (shape) => shape.weights.push(weight('z/kernel', [3])),
  'a model inside itself 300 deep': (shape) => {
    let inner = shape.model;
    for (let i = 0; i < 300; i++) {
      inner = { class_name: 'Sequential', config: { name: `s${i}`, layers: [inner] } };
    }
    shape.model = inner;
  },
  'models called twice 40 deep': (shape) => {
    let inner: Config = {
      class_name: 'Functional',
      config: {
        name: 'm0',
        layers: [
          {
            class_name: 'InputLayer',
            name: 'i',
            config: { name: 'i', batch_input_shape: [null, 4] },
            inbound_nodes: [],
          },
          {
            class_name: 'Activation',
            name: 'r',
            config: { name: 'r', activation: 'relu' },
            inbound_nodes: [[['i', 0, 0, {}]]],
          },
        ],
        input_layers: [['i', 0, 0]],
        output_layers: [['r', 0, 0]],
      },
    };
    for (let i = 1; i < 40; i++) {
      const name = `m${i - 1}`;
      inner = {
        class_name: 'Functional',
        config: {
          name: `m${i}`,
          layers: [
            {
              class_name: 'InputLayer',
              name: 'i',
              config: { name: 'i', batch_input_shape: [null, 4] },
              inbound_nodes: [],
            },
            { ...inner, name, inbound_nodes: [[['i', 0, 0, {}]], [[name, 1, 0, {}]]] },
          ],
          input_layers: [['i', 0, 0]],
          output_layers: [[name, 2, 0]],
        },
      };
    }
    shape.model = inner;
    shape.weights = [];
    Object.assign(shape, manifestOf([]));
  },
  'a duplicate key': (shape) => (shape.text = (json) => json.replace('"units":16', '"units":16,"units":17')),
  'a duplicate key, escaped': (shape) =>
    (shape.text = (json) => json.replace('"units":16', '"units":16,"\\u0075nits":17')),
  'a comma too many': (shape) => (shape.text = (json) => json.replace('"units":16', '"units":16,')),
  'cut off': (shape) => (shape.text = (json) => json.slice(0, json.length / 2)),
  'text after the end': (shape) => (shape.text = (json) => `${json} {}`),
};

/** Only TFJS has these. */
export const TFJS_CHANGES: Readonly<Record<string, (shape: Shape) => void>> = {
  'a shard listed twice': (s) => (s.manifest[0]!.paths = ['w.bin', 'w.bin']),
  'a shard listed under another name': (s) => (s.manifest[0]!.paths = ['w.bin', './w.bin']),
  'a shard in two groups': (s) => s.manifest.push({ paths: ['w.bin'], weights: [] }),
  'a weight named twice': (s) => ((s.manifest[0]!.weights as Config[])[3]!.name = 'd/kernel'),
  'a weight named twice with :0': (s) => ((s.manifest[0]!.weights as Config[])[3]!.name = 'd/kernel:0'),
  'a shard that leaves by ..': (s) => (s.manifest[0]!.paths = ['../w.bin']),
  'a shard that leaves and comes back': (s) => (s.manifest[0]!.paths = ['x/../w.bin']),
  'a shard by a URL': (s) => (s.manifest[0]!.paths = ['http://127.0.0.1/w.bin']),
  'a shard of an absolute path': (s) => (s.manifest[0]!.paths = ['/etc/passwd']),
  'a shard of percent signs': (s) => (s.manifest[0]!.paths = ['%2e%2e/w.bin']),
  'a shard with a NUL': (s) => (s.manifest[0]!.paths = ['w.bin\u0000.bin']),
  'a link out of the folder': (s) => (s.shards['w.bin'] = { link: '/etc/hostname' }),
  'a link to a device': (s) => (s.shards['w.bin'] = { link: '/dev/zero' }),
  'a link to itself': (s) => (s.shards['w.bin'] = { link: 'w.bin' }),
  'a link to nothing': (s) => (s.shards['w.bin'] = { link: 'nothing' }),
  'a link to a folder': (s) => (s.shards['w.bin'] = { link: '.' }),
  'the model itself as a shard': (s) => (s.manifest[0]!.paths = ['model.json']),
  'paths of numbers': (s) => (s.manifest[0]!.paths = [1]),
  'paths a string': (s) => (s.manifest[0]!.paths = 'w.bin'),
  'a million paths': (s) => (s.manifest[0]!.paths = Array<string>(100_000).fill('w.bin')),
  'weights null': (s) => (s.manifest[0]!.weights = null),
  'a group null': (s) => (s.manifest[0] = null as never),
  'a shape that overflows to what is there': (s) =>
    ((s.manifest[0]!.weights as Config[])[0]!.shape = [2 ** 32, 2 ** 32, 2 ** 32, 4]),
  'a shape of fractions': (s) => ((s.manifest[0]!.weights as Config[])[2]!.shape = [0.5, 512]),
  'a shape of strings': (s) => ((s.manifest[0]!.weights as Config[])[2]!.shape = ['16', '16']),
  'a shape of rank 9': (s) =>
    ((s.manifest[0]!.weights as Config[])[2]!.shape = [1, 1, 1, 1, 1, 1, 1, 16, 16]),
  'a dtype unknown': (s) => ((s.manifest[0]!.weights as Config[])[2]!.dtype = 'float64'),
  'a dtype string': (s) => ((s.manifest[0]!.weights as Config[])[2]!.dtype = 'string'),
  'a dtype complex64': (s) => ((s.manifest[0]!.weights as Config[])[2]!.dtype = 'complex64'),
  'a dtype __proto__': (s) => ((s.manifest[0]!.weights as Config[])[2]!.dtype = '__proto__'),
  'a scale that makes Infinity': (s) => {
    Object.assign((s.manifest[0]!.weights as Config[])[2]!, {
      quantization: { dtype: 'uint8', scale: 1e308, min: 1e308 },
    });
    s.shards['w.bin'] = new Uint8Array((s.shards['w.bin'] as Uint8Array).length - 3 * 256).fill(63);
  },
  'a scale of 1e39, beyond float32': (s) => {
    Object.assign((s.manifest[0]!.weights as Config[])[2]!, {
      quantization: { dtype: 'uint16', scale: 1e39, min: 0 },
    });
    s.shards['w.bin'] = new Uint8Array((s.shards['w.bin'] as Uint8Array).length - 2 * 256).fill(63);
  },
  'a float16 NaN': (s) => {
    Object.assign((s.manifest[0]!.weights as Config[])[2]!, { quantization: { dtype: 'float16' } });
    s.shards['w.bin'] = new Uint8Array((s.shards['w.bin'] as Uint8Array).length - 2 * 256).fill(0x7e);
  },
  'a quantization of another kind': (s) =>
    Object.assign((s.manifest[0]!.weights as Config[])[2]!, {
      quantization: { dtype: 'int4', scale: 1, min: 0 },
    }),
  'a quantization a string': (s) =>
    Object.assign((s.manifest[0]!.weights as Config[])[2]!, { quantization: 'uint8' }),
  'surplus bytes': (s) => (s.shards['w.bin'] = Uint8Array.from([...(s.shards['w.bin'] as Uint8Array), 0])),
  'a byte missing': (s) => (s.shards['w.bin'] = (s.shards['w.bin'] as Uint8Array).slice(1)),
  'no manifest': (s) => (s.manifest = null as never),
  'format unknown': (s) => (s.text = (json) => json.replace('layers-model', 'evil-model')),
  'format graph-model': (s) => (s.text = (json) => json.replace('layers-model', 'graph-model')),
  'topology null': (s) =>
    (s.text = (json) => json.replace(/"modelTopology":\{/, '"modelTopology":null,"rest":{')),
};

async function formsOf(name: string, change: Change): Promise<HostileCase[]> {
  const expect = 'reject' as const;
  const made = (): Shape => {
    const shape = shapeOf();
    change(shape);
    if (shape.weights.length > 0) Object.assign(shape, manifestOf(shape.weights));
    return shape;
  };
  return [
    { name: `${name}: TFJS`, files: asTfjs(made()), entry: 'model.json', expect },
    { name: `${name}: .h5`, files: { 'm.h5': await asH5(made()) }, entry: 'm.h5', expect },
    { name: `${name}: .keras`, files: { 'm.keras': await asKeras(made()) }, entry: 'm.keras', expect },
  ];
}

/** Writes one zip entry with whatever its headers are to claim. */
function zipEntry(name: string, data: Uint8Array, claimed: number): Uint8Array {
  const packed = deflateRawSync(data);
  const header = Buffer.alloc(30);
  const fields = (at: Buffer, offset: number): void => {
    at.writeUInt16LE(8, offset + 4);
    at.writeUInt32LE(0, offset + 10);
    at.writeUInt32LE(packed.length, offset + 14);
    at.writeUInt32LE(claimed, offset + 18);
    at.writeUInt16LE(name.length, offset + 22);
  };
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  fields(header, 4);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(20, 4);
  central.writeUInt16LE(20, 6);
  fields(central, 6);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(46 + name.length, 12);
  end.writeUInt32LE(30 + name.length + packed.length, 16);
  return Buffer.concat([header, Buffer.from(name), packed, central, Buffer.from(name), end]);
}

export async function hostileCases(): Promise<HostileCase[]> {
  const cases: HostileCase[] = [];
  for (const [name, change] of Object.entries(CHANGES)) cases.push(...(await formsOf(name, change)));
  for (const [name, change] of Object.entries(TFJS_CHANGES)) {
    const shape = shapeOf();
    change(shape);
    cases.push({ name: `${name}: TFJS`, files: asTfjs(shape), entry: 'model.json', expect: 'reject' });
  }
  const file = (
    name: string,
    entry: string,
    bytes: Uint8Array,
    expect: HostileCase['expect'] = 'reject',
  ): void => {
    cases.push({ name, files: { [entry]: bytes }, entry, expect });
  };
  const h5 = await asH5(shapeOf());
  const keras = await asKeras(shapeOf());
  for (const share of [0, 1, 8, 100, 0.1, 0.5, 0.9, 0.999]) {
    const cut = (bytes: Uint8Array): Uint8Array =>
      bytes.slice(0, share < 1 ? Math.floor(bytes.length * share) : share);
    file(`.h5 cut at ${share}`, 'm.h5', cut(h5));
    file(`.keras cut at ${share}`, 'm.keras', cut(keras));
  }
  file('a file of zeros', 'm.h5', new Uint8Array(4096));
  file('a zip bomb', 'm.keras', zipEntry('config.json', new Uint8Array(2 ** 26), 2 ** 26));
  file('a zip bomb that lies', 'm.keras', zipEntry('config.json', new Uint8Array(2 ** 26), 100));
  file('a zip that claims 4 GB', 'm.keras', zipEntry('config.json', bytesOf('{}'), 2 ** 32 - 1));
  file('a zip with a path that leaves', 'm.keras', zipEntry('../config.json', bytesOf('{}'), 2));
  file('a zip of nothing', 'm.keras', zipSync({}));
  file(
    'a zip without weights',
    'm.keras',
    zipSync({ 'config.json': bytesOf('{}'), 'metadata.json': bytesOf('{}') }),
  );
  file(
    'a zip whose weights are no HDF5',
    'm.keras',
    zipSync({
      'metadata.json': bytesOf('{"keras_version": "2.15.0"}'),
      'config.json': bytesOf(JSON.stringify(base().model)),
      'model.weights.h5': bytesOf('\u0089HDF no'),
    }),
  );
  file(
    'a chunked dataset that is not there',
    'm.h5',
    await asH5({ ...shapeOf(), weights: base().weights.slice(0, 5) }, (f) => {
      const group = f.get('model_weights')! as H5.Group;
      const bias = group.create_group('z');
      bias.create_dataset({
        name: 'bomb',
        data: new Float32Array(1),
        shape: [1],
        dtype: '<f',
        maxshape: [null],
        chunks: [1],
      });
    }),
  );
  file(
    'a compressed bomb',
    'm.h5',
    await asH5(
      {
        ...shapeOf(),
        model: withUnits(2 ** 22),
        weights: [...base().weights.slice(0, 2), weight('d/bias', [1])],
      },
      (f) => {
        const group = f.get('model_weights/d')! as H5.Group;
        group.create_dataset({
          name: 'd/kernel:0',
          data: new Float32Array(2 ** 22),
          shape: [1, 2 ** 22],
          dtype: '<f',
          chunks: [1, 2 ** 20],
          compression: 9,
        });
      },
    ),
  );
  file(
    'a weight that is a link out',
    'm.h5',
    await asH5({ ...shapeOf(), weights: base().weights.slice(0, 4) }, (f) => {
      const group = f.get('model_weights')! as H5.Group;
      group.create_external_link('/etc/passwd', 'x', 'e');
    }),
  );
  file(
    'a weight that is a link in a circle',
    'm.h5',
    await asH5({ ...shapeOf(), weights: base().weights.slice(0, 4) }, (f) => {
      const group = f.get('model_weights')! as H5.Group;
      group.create_soft_link('/model_weights/e', 'e');
    }),
  );
  file(
    'text weights',
    'm.h5',
    await asH5({ ...shapeOf(), weights: base().weights.slice(0, 4) }, (f) => {
      const group = (f.get('model_weights')! as H5.Group).create_group('e');
      group.create_attribute('weight_names', ['kernel:0'], [1]);
      group.create_dataset({ name: 'kernel:0', data: ['a', 'b'], shape: [2] });
    }),
  );
  file(
    'layer_names that are numbers',
    'm.h5',
    await asH5(shapeOf(), (f) => {
      const group = f.get('model_weights')! as H5.Group;
      group.delete_attribute('layer_names');
      group.create_attribute('layer_names', [1, 2, 3]);
    }),
  );
  return cases;
}

function withUnits(units: number): Config {
  const { model } = base();
  const shape = { model } as Shape;
  set('d', 'units', units)(shape);
  return model;
}
