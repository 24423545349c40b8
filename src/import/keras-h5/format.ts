/** Keras .h5 files, told by HDF5's signature. */
import { startsWith, type ImportFormat } from '../format.js';

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

export const kerasH5: ImportFormat = {
  id: 'keras-h5',
  name: 'a Keras .h5 file',
  extensions: ['.h5', '.hdf5'],
  beside: false,
  matches: (bytes) => startsWith(bytes, SIGNATURE),
  read: async ({ bytes, maxMemory }) => (await import('./read.js')).importKerasH5(bytes, maxMemory),
};
