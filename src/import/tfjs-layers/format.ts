/** TFJS layers models: a model.json, told by being JSON; its weights lie beside it. */
import type { ImportFormat } from '../format.js';

/** An object or a list, after white space or a byte order mark; texts such as `null` are JSON too, and answered as such. */
const JSON_START = /^[ \t\r\n{[\u00ef"\-0-9tfn]/;

export const tfjsLayers: ImportFormat = {
  id: 'tfjs-layers',
  name: 'a TFJS model.json or its folder',
  extensions: ['.json'],
  inFolder: 'model.json',
  beside: true,
  matches: (bytes) => JSON_START.test(String.fromCharCode(bytes[0] ?? 0)),
  read: async ({ bytes, folder, maxMemory }) => {
    const [{ decodeUtf8, parseJson }, { importModelJson }] = await Promise.all([
      import('../json.js'),
      import('./read.js'),
    ]);
    return importModelJson(parseJson(decodeUtf8(bytes, 'model.json'), 'model.json'), folder, maxMemory);
  },
};
