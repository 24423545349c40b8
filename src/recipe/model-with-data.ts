/** What every work of a recipe begins with. */
import type { LayersModel } from '@tensorflow/tfjs-node';
import type { Dataset, Preprocessing } from '../table/dataset.js';
import type { TensorFlow } from '../tensorflow/load.js';

/** A model that answers in standardised units, with its data. */
export interface ModelWithData {
  tensorflow: TensorFlow;
  model: LayersModel;
  dataset: Dataset;
  preprocessing: Preprocessing;
}
