/** What long work tells while it runs. The command line draws bars from it. */

export interface StepReport {
  /** From 1. */
  epoch: number;
  epochs: number;
  /** Steps done, in the whole run. */
  step: number;
  steps: number;
  /** Of the last batch, on the standardised target. */
  loss: number;
  /** Share of zeros in the pruned weights; undefined where nothing is pruned. */
  sparsity?: number;
}

export interface EpochReport {
  epoch: number;
  epochs: number;
  /** Mean over the epoch's batches, on the standardised target. */
  loss: number;
  /** In the target's own units. */
  validationRmse: number;
  learningRate: number;
  sparsity?: number;
  /** Whether this is the best epoch so far of those that count. */
  best: boolean;
  seconds: number;
}

export interface Progress {
  /** A line on what happens next. */
  say?: (text: string) => void;
  warn?: (text: string) => void;
  step?: (report: StepReport) => void;
  epoch?: (report: EpochReport) => void;
}
