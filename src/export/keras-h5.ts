/**
 * Network → a Keras .h5 file as Keras 2 writes whole models (keras/saving/legacy/hdf5_format.py): the config in an
 * attribute, a group of weights for each layer in the order of the model's layers, by which Keras binds them.
 */
import type * as H5 from 'h5wasm';
import { EspalierError } from '../errors.js';
import type { Network } from '../network/types.js';
import { rewrite } from './rewrite.js';
import type { WrittenModel } from './topology.js';
import { writeModel } from './topology.js';
import { verify } from './verify.js';

/** Keras 2 reads it; Keras 3 takes it for a file of the former, and converts what it names otherwise. */
const KERAS_VERSION = '2.15.0';

/** Longer lists of names are cut into name0, name1, ...: an attribute holds 64 KB. */
const MAX_NAMES = 2000;

/**
 * The bytes of the .h5 file; zeros are stored as they are.
 * @throws UNSUPPORTED_LAYER for what Keras 2 does not have, by the layer's name; LIMIT_EXCEEDED beyond 2 GB.
 */
export async function toKerasH5(network: Network): Promise<Uint8Array> {
  const own = rewrite(network, 'keras');
  const written = writeModel(own, 'keras');
  verify(own, written, { keras: 2, tfjs: false });
  const bytes = written.layers
    .flatMap((layer) => layer.weights)
    .reduce((sum, { tensor }) => sum + tensor.data.byteLength, 0);
  if (bytes > 2 ** 31 - 2 ** 26) {
    throw new EspalierError(
      'LIMIT_EXCEEDED',
      `network ${network.name}: ${bytes} bytes of weights are more than 2 GB`,
      {
        parameter: network.name,
        expected: 'at most 2 GB',
        received: bytes,
      },
    );
  }
  const h5 = await import('h5wasm');
  const { FS } = await h5.ready;
  const path = `/export-${process.hrtime.bigint()}.h5`;
  const file = new h5.File(path, 'w');
  try {
    writeFile(file, written);
    file.flush();
  } finally {
    file.close();
  }
  try {
    return FS.readFile(path);
  } finally {
    FS.unlink(path);
  }
}

function writeFile(file: H5.File, { model, layers }: WrittenModel): void {
  file.create_attribute('keras_version', KERAS_VERSION);
  file.create_attribute('backend', 'tensorflow');
  file.create_attribute('model_config', JSON.stringify(model));
  const root = file.create_group('model_weights');
  root.create_attribute('keras_version', KERAS_VERSION);
  root.create_attribute('backend', 'tensorflow');
  writeNames(
    root,
    'layer_names',
    layers.map(({ name }) => name),
  );
  for (const { name, weights } of layers) {
    const group = root.create_group(name);
    if (weights.length === 0) continue;
    writeNames(
      group,
      'weight_names',
      weights.map((weight) => `${weight.name}:0`),
    );
    const made = new Set<string>();
    for (const weight of weights) {
      const parts = weight.name.split('/');
      parts.slice(0, -1).forEach((_, i) => {
        const path = parts.slice(0, i + 1).join('/');
        if (made.has(path)) return;
        made.add(path);
        group.create_group(path);
      });
      const { shape, data } = weight.tensor;
      group.create_dataset({ name: `${weight.name}:0`, data, shape: [...shape], dtype: '<f' });
    }
  }
}

function writeNames(group: H5.Group, attribute: string, names: readonly string[]): void {
  if (names.length <= MAX_NAMES) {
    group.create_attribute(attribute, [...names], [names.length]);
    return;
  }
  for (let i = 0; i * MAX_NAMES < names.length; i++) {
    const part = names.slice(i * MAX_NAMES, (i + 1) * MAX_NAMES);
    group.create_attribute(`${attribute}${i}`, part, [part.length]);
  }
}
