/** TFJS layers models in folders: written so that a reader always finds a whole one, read with every length checked. */
import { createHash } from 'node:crypto';
import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, isAbsolute, sep } from 'node:path';
import type { io } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-node';
import { EspalierError, invalid } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import type { TensorFlow } from './tensorflow.js';

const OWN_WEIGHTS = /^weights-[0-9a-f]{12}\.bin$/;

function asBytes(data: io.WeightData | undefined): Uint8Array {
  if (data === undefined) return new Uint8Array();
  return Array.isArray(data) ? Buffer.concat(data.map((part) => new Uint8Array(part))) : new Uint8Array(data);
}

/**
 * Writes model.json and its weights. The weights' file is named by its content and model.json is renamed into place
 * last, so that a crash at any moment leaves the previous model or this one; then older weights go.
 */
export async function saveLayersModel({ tf }: TensorFlow, model: LayersModel, folder: string): Promise<void> {
  let artifacts: io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (given) => {
      artifacts = given;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  const weights = asBytes(artifacts!.weightData);
  const name = `weights-${createHash('sha256').update(weights).digest('hex').slice(0, 12)}.bin`;
  await writeFileAtomic(join(folder, name), weights);
  const description = {
    format: 'layers-model',
    generatedBy: `TensorFlow.js tfjs-layers v${tf.version['tfjs-layers']}`,
    convertedBy: null,
    modelTopology: artifacts!.modelTopology,
    weightsManifest: [{ paths: [name], weights: artifacts!.weightSpecs }],
  };
  await writeFileAtomic(join(folder, 'model.json'), JSON.stringify(description));
  for (const other of await readdir(folder)) {
    if (OWN_WEIGHTS.test(other) && other !== name) await rm(join(folder, other), { force: true });
  }
}

/** The path of the model.json that a user means by a file or a folder. */
export async function modelJsonPath(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined)
    throw new EspalierError('NOT_FOUND', `${path}: no such file or folder`, { parameter: path });
  if (!found.isDirectory()) return path;
  const inside = join(path, 'model.json');
  if ((await stat(inside).catch(() => undefined)) !== undefined) return inside;
  throw new EspalierError('NOT_FOUND', `${path}: expected a model.json in this folder`, { parameter: path });
}

interface Manifest {
  modelTopology?: object;
  weightsManifest?: { paths?: unknown; weights?: unknown }[];
}

/** Reads a TFJS layers model. Throws NOT_FOUND or INVALID_MODEL. No path of the manifest may leave the model's folder. */
export async function loadLayersModel({ tf }: TensorFlow, path: string): Promise<LayersModel> {
  const file = await modelJsonPath(path);
  const folder = resolve(dirname(file));
  let manifest: Manifest;
  try {
    manifest = JSON.parse(await readFile(file, 'utf8')) as Manifest;
  } catch (cause) {
    throw new EspalierError(
      'INVALID_MODEL',
      `${file}: ${(cause as Error).message}`,
      { parameter: file },
      cause,
    );
  }
  if (
    manifest === null ||
    typeof manifest !== 'object' ||
    typeof manifest.modelTopology !== 'object' ||
    !Array.isArray(manifest.weightsManifest)
  ) {
    throw invalid(
      'INVALID_MODEL',
      file,
      'a TFJS layers model with modelTopology and weightsManifest',
      manifest,
    );
  }
  const specs: io.WeightsManifestEntry[] = [];
  const parts: Uint8Array[] = [];
  for (const group of manifest.weightsManifest) {
    if (!Array.isArray(group.paths) || !Array.isArray(group.weights)) {
      throw invalid('INVALID_MODEL', `${file}, weightsManifest`, 'groups with paths and weights', group);
    }
    specs.push(...(group.weights as io.WeightsManifestEntry[]));
    for (const name of group.paths as unknown[]) {
      const shard = typeof name === 'string' ? resolve(folder, name) : '';
      const inside = relative(folder, shard);
      if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
        throw invalid('INVALID_MODEL', `${file}, paths`, "a file in the model's folder", name);
      }
      try {
        parts.push(await readFile(shard));
      } catch (cause) {
        throw new EspalierError(
          'INVALID_MODEL',
          `${shard}: ${(cause as Error).message}`,
          { parameter: shard },
          cause,
        );
      }
    }
  }
  const bytes = Buffer.concat(parts);
  try {
    const model = await tf.loadLayersModel(
      tf.io.fromMemory({
        modelTopology: manifest.modelTopology,
        weightSpecs: specs,
        weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
      }),
    );
    // A Sequential model that was loaded knows its inputs and yet is not built until it is compiled.
    if (model instanceof tf.Sequential) model.build();
    return model;
  } catch (cause) {
    throw new EspalierError(
      'INVALID_MODEL',
      `${file}: ${(cause as Error).message}`,
      { parameter: file },
      cause,
    );
  }
}
