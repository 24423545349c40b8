/** One part of a dataset as tensors. */
import type { Tensor2D } from '@tensorflow/tfjs-node';
import type { Dataset } from '../table/dataset.js';
import type { Part } from '../table/split.js';
import type { TF } from '../tensorflow/load.js';

/** Inputs up to this many bytes are encoded once and kept as one tensor; more are encoded a batch at a time. */
const KEPT_BYTES = 1 << 30;

/** One part of a dataset on TensorFlow's side. */
export class PartTensors {
  readonly rows: Uint32Array;
  /** Standardised. */
  private readonly targets: Float32Array;
  private readonly kept: Tensor2D | undefined;

  constructor(
    private readonly tf: TF,
    private readonly dataset: Dataset,
    part: Part,
  ) {
    this.rows = dataset.split[part];
    const { mean, deviation } = dataset.preprocessing.scale;
    this.targets = Float32Array.from(this.rows, (row) => (dataset.target[row]! - mean) / deviation);
    const { width } = dataset.encoder;
    if (this.rows.length * width * 4 <= KEPT_BYTES && this.rows.length > 0) {
      this.kept = tf.tensor2d(dataset.encoder.encode(this.rows), [this.rows.length, width]);
    }
  }

  get length(): number {
    return this.rows.length;
  }

  /** The samples whose places in this part are `places`: inputs (n × width) and standardised targets (n × 1). */
  take(places: Uint32Array): { inputs: Tensor2D; targets: Tensor2D } {
    const { tf } = this;
    const targets = Float32Array.from(places, (place) => this.targets[place]!);
    return { inputs: this.inputs(places), targets: tf.tensor2d(targets, [places.length, 1]) };
  }

  private inputs(places: Uint32Array): Tensor2D {
    const { tf, kept } = this;
    if (kept !== undefined)
      return tf.tidy(() => tf.gather(kept, tf.tensor1d(Int32Array.from(places), 'int32')));
    const rows = Uint32Array.from(places, (place) => this.rows[place]!);
    return tf.tensor2d(this.dataset.encoder.encode(rows), [places.length, this.dataset.encoder.width]);
  }

  /** The samples from `from` up to `to`, in the part's own order. */
  slice(from: number, to: number): Tensor2D {
    const { tf, kept } = this;
    if (kept !== undefined) return tf.slice2d(kept, [from, 0], [to - from, this.dataset.encoder.width]);
    return tf.tensor2d(this.dataset.encoder.encode(this.rows, from, to), [
      to - from,
      this.dataset.encoder.width,
    ]);
  }

  dispose(): void {
    this.kept?.dispose();
  }
}
