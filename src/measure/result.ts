/**
 * What `espalier bench --json` writes: format and version first, so that a reader knows what it has. The JSON schema
 * of it is published as schemas/bench-result-1.json, made from this file.
 */
import { z } from 'zod';

export const RESULT_FORMAT = 'espalier-bench';
/** Raised when a reader of the older one would misread the newer; additions do not raise it. */
export const RESULT_VERSION = 1;

const count = z.int().nonnegative();
const microseconds = z.number().nonnegative();
const size = z.object({
  raw: count.describe('bytes'),
  gzip: count.nullable().describe('bytes after gzip -9; null where the file is not at hand'),
});
const interval = z
  .object({ ratio: z.number(), low: z.number(), high: z.number() })
  .describe('a ratio of medians and its 95 % bootstrap confidence interval over rounds');

export const machineSchema = z.object({
  cpu: z.string(),
  architecture: z.string(),
  cores: count,
  isa: z.array(z.string()),
  caches: z
    .object({ l1d: count.nullable(), l2: count.nullable(), l3: count.nullable() })
    .describe('bytes; null where the system does not tell'),
  memoryBytes: count,
  governor: z.string().nullable().describe('frequency governor; null where there is none'),
  virtual: z.boolean().describe('a virtual machine'),
  system: z.string(),
  node: z.string(),
  espalier: z.string(),
  commit: z.string().nullable().describe('with "+" where files differ from it'),
});

export const timingSchema = z.object({
  batch: z.int().positive(),
  calls: count.describe('timed calls over all rounds'),
  callsPerSample: z
    .int()
    .positive()
    .describe(
      'above 1 each sample is the mean of that many calls in a loop, as one call is too short to time',
    ),
  mean: microseconds.describe('microseconds a call, as all of the next'),
  sd: microseconds,
  min: microseconds,
  p50: microseconds,
  p90: microseconds,
  p95: microseconds,
  p99: microseconds,
  max: microseconds,
  samplesPerSecond: z.number().nonnegative().describe('throughput: batch over the mean time of a call'),
  quantiles: z.array(microseconds).length(101).describe('0 %, 1 %, … 100 %'),
  roundMedians: z.array(microseconds).min(1),
  spread: z.number().nullable().describe('interquartile range of the round medians over their median'),
  noisy: z.boolean().describe('the spread is above what the run accepts: do not build on this figure'),
  vsEspalier: interval.nullable().describe('time over that of espalier runSync in the same rounds'),
  vsEspalierBind: interval.nullable().describe('time over that of espalier bind in the same rounds'),
});

export const rivalSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['ok', 'absent', 'unsupported', 'failed', 'crashed', 'timeout', 'out-of-memory', 'differs']),
  message: z.string().nullable().describe('why it is not timed, or no longer; how to install what is absent'),
  versions: z.record(z.string(), z.string()),
  note: z.string().nullable().describe('how it ran, where that is worth telling'),
  loadMs: z.number().nullable().describe('importing the library and loading the network'),
  firstMs: z.number().nullable().describe('first inference after that, at the first batch size'),
  rssBytes: z.number().nullable().describe('resident after the first inference, above an empty Node process'),
  peakRssBytes: z
    .number()
    .nullable()
    .describe('highest resident over the whole run, above an empty Node process'),
  maxAbsDifference: z.number().nullable().describe("largest difference of an output from espalier's"),
  timings: z.array(timingSchema),
});

export const networkSchema = z.object({
  sparsity: z.number().min(0).max(1).describe('measured: share of zeros in the weight matrices'),
  imposed: z.number().nullable().describe('the sparsity asked for with --sparsity; null where none was'),
  weights: count.describe('entries of the weight matrices, zeros included'),
  nonzeros: count,
  sizes: z.object({
    dense: size.describe('all weights as float32 before zeros were imposed'),
    stripped: size.describe('all weights as float32, zeros in place'),
    esp: size,
    source: size.nullable().describe('the file named; null where it is not one file'),
  }),
  rivals: z.array(rivalSchema),
});

export const resultSchema = z.object({
  format: z.literal(RESULT_FORMAT),
  version: z.literal(RESULT_VERSION),
  created: z.iso.datetime(),
  command: z.string(),
  model: z.string(),
  machine: machineSchema,
  settings: z.object({
    threads: z.int().positive(),
    cores: z.string().nullable().describe('cores that each rival is pinned to; null where it is not'),
    batches: z.array(z.int().positive()).min(1),
    rounds: z.int().positive(),
    minTime: z.number().positive().describe('seconds timed for each rival and batch size, over all rounds'),
    warmUp: z.int().positive().describe('calls before the first timed one'),
    seed: count.describe('of the inputs'),
    noiseLimit: z.number(),
  }),
  load: z.object({
    before: z.number().describe('mean number of busy cores in the moment before the run'),
    during: z.number().describe('mean number of busy cores during the run, the measured process included'),
    noisy: z.boolean().describe('others were computing'),
  }),
  emptyNodeRssBytes: count,
  complete: z.boolean().describe('false where the run was interrupted: what was finished is here'),
  networks: z.array(networkSchema).min(1),
});

export type BenchResult = z.infer<typeof resultSchema>;
export type NetworkResult = z.infer<typeof networkSchema>;
export type RivalResult = z.infer<typeof rivalSchema>;
export type Timing = z.infer<typeof timingSchema>;

/** The published schema, as JSON. */
export function resultJsonSchema(): unknown {
  return {
    $id: 'urn:espalier:schema:bench-result-1',
    title: 'Result of espalier bench, version 1',
    ...z.toJSONSchema(resultSchema, { target: 'draft-7' }),
  };
}
