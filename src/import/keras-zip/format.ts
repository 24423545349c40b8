/** .keras files, told by the signature of a zip. */
import { startsWith, type ImportFormat } from '../format.js';

const SIGNATURE = [0x50, 0x4b, 0x03, 0x04];

export const kerasZip: ImportFormat = {
  id: 'keras-zip',
  name: 'a .keras file',
  extensions: ['.keras'],
  beside: false,
  matches: (bytes) => startsWith(bytes, SIGNATURE),
  read: async ({ bytes, maxMemory }) => (await import('./read.js')).importKerasZip(bytes, maxMemory),
};
