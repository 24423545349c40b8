/** What a version has done since it was loaded, as Triton's statistics extension tells it. Durations in nanoseconds. */
import type { BatchObserver } from './batcher.js';

export interface Duration {
  count: number;
  ns: number;
}

const none = (): Duration => ({ count: 0, ns: 0 });

function add(duration: Duration, milliseconds: number): void {
  duration.count += 1;
  duration.ns += Math.round(milliseconds * 1e6);
}

export class Statistics implements BatchObserver {
  /** Milliseconds since 1970; 0 before the first. */
  lastInference = 0;
  /** Rows, and calls of the engine. */
  inferences = 0;
  executions = 0;
  readonly success = none();
  readonly fail = none();
  readonly queue = none();
  readonly compute = none();
  readonly batches = new Map<number, Duration>();

  batch(rows: number, _size: number, milliseconds: number): void {
    this.lastInference = Date.now();
    this.inferences += rows;
    this.executions += 1;
    add(this.compute, milliseconds);
    let size = this.batches.get(rows);
    if (size === undefined) this.batches.set(rows, (size = none()));
    add(size, milliseconds);
  }

  queued(milliseconds: number): void {
    add(this.queue, milliseconds);
  }

  answered(ok: boolean, milliseconds: number): void {
    add(ok ? this.success : this.fail, milliseconds);
  }

  tell(name: string, version: string) {
    return {
      name,
      version,
      last_inference: this.lastInference,
      inference_count: this.inferences,
      execution_count: this.executions,
      inference_stats: {
        success: { ...this.success },
        fail: { ...this.fail },
        queue: { ...this.queue },
        compute_input: none(),
        compute_infer: { ...this.compute },
        compute_output: none(),
        cache_hit: none(),
        cache_miss: none(),
      },
      batch_stats: [...this.batches.entries()]
        .sort(([a], [b]) => a - b)
        .map(([batch_size, duration]) => ({
          batch_size,
          compute_input: none(),
          compute_infer: { ...duration },
          compute_output: none(),
        })),
    };
  }
}
