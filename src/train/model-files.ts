/** Models of training: written as TFJS layers models so that a reader always finds a whole one, read from any source. */
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { io } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-node';
import { EspalierError } from '../errors.js';
import { modelJsonPath, writeFileAtomic } from '../files.js';
import { importModel } from '../import/index.js';
import { preprocessingMark, writePreprocessing, type Preprocessing } from '../table/dataset.js';
import { layersModelOf } from './layers-model.js';
import type { TensorFlow } from '../tensorflow/load.js';

const OWN_WEIGHTS = /^weights-[0-9a-f]{12}\.bin$/;

function asBytes(data: io.WeightData | undefined): Uint8Array {
  if (data === undefined) return new Uint8Array();
  return Array.isArray(data) ? Buffer.concat(data.map((part) => new Uint8Array(part))) : new Uint8Array(data);
}

/**
 * Writes model.json and its weights. The weights' file is named by its content and model.json is renamed into place
 * last, so that a crash at any moment leaves the previous model or this one; then older weights go.
 * @param preprocessing written beside it, each with the other's mark.
 */
export async function saveLayersModel(
  { tf }: TensorFlow,
  model: LayersModel,
  folder: string,
  preprocessing?: Preprocessing,
): Promise<void> {
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
    ...(preprocessing === undefined
      ? {}
      : { userDefinedMetadata: { espalier: { preprocessing: preprocessingMark(preprocessing) } } }),
  };
  if (preprocessing !== undefined) await writePreprocessing(folder, preprocessing, name);
  await writeFileAtomic(join(folder, 'model.json'), JSON.stringify(description));
  for (const other of await readdir(folder)) {
    if (OWN_WEIGHTS.test(other) && other !== name) await rm(join(folder, other), { force: true });
  }
}

/**
 * A model of any source that importModel takes (told by its content), as a tfjs model that can be trained. Sequential
 * or functional, it becomes functional.
 * @throws NOT_FOUND, INVALID_MODEL, UNSUPPORTED_FORMAT, LIMIT_EXCEEDED; UNSUPPORTED_LAYER for what tfjs cannot hold.
 */
export async function loadLayersModel(tensorflow: TensorFlow, path: string): Promise<LayersModel> {
  if (/\.esp$/i.test(path)) {
    throw new EspalierError(
      'UNSUPPORTED_FORMAT',
      `${path}: an .esp file is for running, not for training: \`espalier export ${path} FOLDER\` writes a model.json that can be trained`,
      {
        parameter: path,
        expected: 'a model.json, its folder, a .h5 or a .keras file',
        received: 'an .esp file',
      },
    );
  }
  const file = await modelJsonPath(path);
  return layersModelOf(tensorflow, await importModel(file));
}
