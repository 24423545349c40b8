/**
 * The contract between `espalier bench` and what it measures. The built-in rivals keep it, and so does a module of the
 * user's own (`--rival FILE`), which exports an object of this kind as default or as `rival`.
 */

/** One input or output of the network. */
export interface RivalPort {
  name: string;
  /** With the batch first, null. */
  shape: (number | null)[];
}

/** One input for a call: row-major, the batch first. The same objects are passed to each call at one batch size. */
export interface RivalInput {
  name: string;
  shape: number[];
  data: Float32Array;
}

export interface RivalContext {
  /** The network in the formats there are; each holds the same weights, zeros included. */
  files: {
    /** Stripped, in espalier's format. */
    esp: string;
    /** Dense, as ONNX; there where a rival that reads it takes part and the network can be told in it. */
    onnx?: string;
    /** Dense, as a TFJS layers model (model.json). */
    tfjs?: string;
    /** Dense, as a Keras .h5 file. */
    keras?: string;
    /** Dense, as the folder of a SavedModel, and as a LiteRT (.tflite) file: made by the user's Python. */
    savedmodel?: string;
    tflite?: string;
    /** The user's own model.json, where the network came from one and is as it was: BatchNormalization not folded. */
    tfjsGiven?: string;
  };
  inputs: RivalPort[];
  outputs: RivalPort[];
  /** Threads that a call may use. */
  threads: number;
  /** Caches are flushed before each call: an engine that can choose for that may. */
  cold?: boolean;
}

/** Outputs in the order of the network's, row-major, the batch first. */
export type RivalOutputs = Float32Array[];

export interface Rival {
  /** What the table calls it. */
  name: string;
  /** Makes the network ready. Its time is told as the load time, that of importing libraries included. */
  load(context: RivalContext): void | Promise<void>;
  /** What is timed, unless there is `prepare`. */
  run(inputs: RivalInput[]): RivalOutputs | Promise<RivalOutputs>;
  /**
   * Called once for each batch size, outside the timing: the function it returns is timed in place of `run`. For
   * libraries that want buffers or tensors made beforehand.
   */
  prepare?(
    inputs: RivalInput[],
  ): (() => RivalOutputs | Promise<RivalOutputs>) | Promise<() => RivalOutputs | Promise<RivalOutputs>>;
  dispose(): void | Promise<void>;
  /** What a reader of the report should know of how it ran; asked after load. */
  note?(): string;
  /** For questions that only espalier's own rivals can answer: where the time goes, what the machine can do. */
  ask?(what: string, given: unknown): unknown;
  /** Versions of the libraries that did the work, for the report; asked after load. */
  versions?(): Record<string, string>;
}
