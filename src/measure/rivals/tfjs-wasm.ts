/** TFJS with its WebAssembly backend, as in a browser: SIMD, one thread (its threads need a browser's workers). */
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { readFile } from 'node:fs/promises';
import type * as Tf from '@tensorflow/tfjs';
import type { RivalContext } from '../race/rival.js';
import { TfjsLayersRival, registerOwnActivation, versionsOf } from './tfjs-layers.js';

const require = createRequire(import.meta.url);

class TfjsWasm extends TfjsLayersRival<typeof Tf> {
  readonly name = 'tfjs wasm';

  async load({ files }: RivalContext): Promise<void> {
    if (files.tfjs === undefined) throw new Error('the network cannot be written as a TFJS layers model');
    const tf = require('@tensorflow/tfjs') as typeof Tf;
    const wasm = require('@tensorflow/tfjs-backend-wasm') as { setWasmPaths(path: string): void };
    const folder = dirname(require.resolve('@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.node.js'));
    wasm.setWasmPaths(folder + sep);
    if (!(await tf.setBackend('wasm')) || tf.getBackend() !== 'wasm')
      throw new Error('the wasm backend did not start');
    registerOwnActivation(tf);
    this.tf = tf;
    this.model = await tf.loadLayersModel(await handler(tf, files.tfjs));
  }

  note(): string {
    return 'SIMD, one thread';
  }

  versions(): Record<string, string> {
    return versionsOf(require, ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm']);
  }
}

/** tfjs without its Node binding reads no files: they are handed to it. */
async function handler(tf: typeof Tf, path: string): Promise<Tf.io.IOHandler> {
  const { modelTopology, weightsManifest } = JSON.parse(await readFile(path, 'utf8')) as {
    modelTopology: object;
    weightsManifest: { paths: string[]; weights: Tf.io.WeightsManifestEntry[] }[];
  };
  const parts = await Promise.all(
    weightsManifest.flatMap(({ paths }) => paths).map((file) => readFile(join(dirname(path), file))),
  );
  const bytes = new Uint8Array(Buffer.concat(parts));
  return tf.io.fromMemory({
    modelTopology,
    weightSpecs: weightsManifest.flatMap(({ weights }) => weights),
    weightData: bytes.buffer,
  });
}

export const rival = new TfjsWasm();
