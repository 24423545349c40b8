/** A layer → the entry of a model's config that Keras 2 and tfjs read. */
import type { WrittenConfig } from '../keras/codec.js';
import { KERAS_CODECS, writeSettings } from '../keras/codecs.js';
import type { Dialect } from '../keras/dialect.js';
import type { Layer } from '../network/types.js';

/** The config of a layer under the name that it gets. */
export function layerConfig(layer: Layer, name: string, dialect: Dialect): WrittenConfig {
  const { trainable = true, ...training } = layer.training ?? {};
  return {
    name,
    trainable,
    dtype: 'float32',
    ...writeSettings(layer, { dialect, name }),
    ...(KERAS_CODECS[layer.kind].untrained === true ? {} : training),
  };
}
