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

const machineSchema = z.object({
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

const serverSchema = z.object({
  batch: z.int().positive().describe('samples of a query'),
  boundMs: z.number().positive().describe('latency that 99 % of the queries must keep, waiting included'),
  queriesPerSecond: z
    .number()
    .nullable()
    .describe('the highest rate of Poisson arrivals that kept the bound; null where none did'),
  p50: microseconds.nullable().describe('at that rate, from arrival to answer, as p99'),
  p99: microseconds.nullable(),
  probes: z.array(
    z.object({
      rate: z.number().positive().describe('queries a second that were asked for'),
      queries: count.describe('that came'),
      p50: microseconds,
      p99: microseconds,
      met: z.boolean(),
    }),
  ),
});

const offlineSchema = z.object({
  batch: z.int().positive().describe('the batch size that served most samples a second'),
  samplesPerSecond: z.number().nonnegative(),
  samples: count.describe('served at that batch size, all at hand from the start'),
  seconds: z.number().nonnegative(),
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
  server: serverSchema.optional().describe('with --scenario server'),
  offline: offlineSchema.optional().describe('with --scenario offline'),
});

export const operationSchema = z.object({
  name: z.string().describe("the layer's"),
  op: z.string(),
  rows: count.describe('of its matrix; 0 where it has none'),
  cols: count,
  nnz: count,
  sparsity: z.number().nullable().describe('null where there is no matrix'),
  layout: z.string(),
  kernel: z.string(),
  us: microseconds.describe('median time of the operation in a call'),
  denseUs: microseconds.nullable().describe('the same with dense kernels; null where there is no matrix'),
  share: z.number().describe('of the time of the call'),
  flops: z.number().nonnegative().describe('2 a weight that is not zero and use of it, for the whole batch'),
  denseFlops: z.number().nonnegative().describe('as if no weight were zero'),
  bytes: z.number().nonnegative().describe('packed weights, inputs and outputs, once each'),
  gflops: z.number().nonnegative().describe('effective: flops over time'),
  denseGflops: z.number().nonnegative().describe('dense-equivalent: denseFlops over time'),
  intensity: z.number().nonnegative().describe('flops a byte'),
  roof: z.enum(['cache', 'memory']).describe('which bandwidth holds: by whether the network fits the caches'),
  attainableGflops: z.number().nonnegative().describe('what the roofline lets it reach'),
  bound: z.enum(['compute', 'memory']).describe('which roof is lower there'),
});

export const layersSchema = z.object({
  batch: z.int().positive(),
  totalUs: microseconds.describe('median time of a call while it was being looked into'),
  otherUs: microseconds.describe('of it outside the operations: transposes at the two ends, the call'),
  repeats: z
    .int()
    .positive()
    .describe('above 1 each operation ran so many times in a row, as once is too short to time'),
  operations: z.array(operationSchema),
});

export const breakEvenSchema = z.object({
  name: z.string(),
  op: z.string(),
  rows: count,
  cols: count,
  batch: z.int().positive(),
  sparsity: z
    .number()
    .nullable()
    .describe('zeros in one shot at and above which the engine was faster than its dense path; null: never'),
  denseUs: microseconds,
  points: z.array(z.object({ sparsity: z.number(), us: microseconds, layout: z.string() })),
});

const qualitySchema = z.object({
  rmse: z.number().nullable(),
  mae: z.number().nullable(),
  r2: z.number().nullable(),
  ratio: z
    .object({ mean: z.number(), deviation: z.number() })
    .nullable()
    .describe('predicted over true, and its standard deviation'),
  accuracy: z.number().nullable().describe('share of rows whose largest output is the right class'),
});

export const accuracySchema = z.object({
  data: z.string(),
  target: z.string(),
  rows: count.describe('held out'),
  kind: z.enum(['regression', 'classification']),
  model: qualitySchema,
  dense: qualitySchema.nullable().describe('of the model given by --dense, or before zeros were imposed'),
  maxAbsDifference: z.number().nullable().describe("largest difference of an output from the dense model's"),
});

export const roofsSchema = z.object({
  threads: z.int().positive(),
  fmaGflops: z.number().positive().describe('multiply and add of float32 in the widest vectors'),
  cacheGBs: z.number().positive().describe('reading 1 MiB again and again, 10^9 bytes a second'),
  memoryGBs: z.number().positive().describe('reading 256 MiB'),
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
  layers: z.array(layersSchema).optional().describe('where the time goes, at each batch size'),
  breakEven: z.array(breakEvenSchema).optional().describe('of each layer with a matrix, at each batch size'),
  accuracy: accuracySchema.optional().describe('with --data'),
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
    scenarios: z.array(z.enum(['single-stream', 'server', 'offline'])).optional(),
    cold: z.boolean().optional().describe('caches were flushed before each call'),
  }),
  load: z.object({
    before: z.number().describe('mean number of busy cores in the moment before the run'),
    during: z.number().describe('mean number of busy cores during the run, the measured process included'),
    noisy: z.boolean().describe('others were computing'),
  }),
  roofs: roofsSchema.optional().describe('measured on the spot, before the rivals'),
  emptyNodeRssBytes: count,
  complete: z.boolean().describe('false where the run was interrupted: what was finished is here'),
  networks: z.array(networkSchema).min(1),
});

export type BenchResult = z.infer<typeof resultSchema>;
export type NetworkResult = z.infer<typeof networkSchema>;
export type RivalResult = z.infer<typeof rivalSchema>;
export type Timing = z.infer<typeof timingSchema>;

export type LayersResult = z.infer<typeof layersSchema>;
export type OperationResult = z.infer<typeof operationSchema>;
export type BreakEven = z.infer<typeof breakEvenSchema>;
export type Accuracy = z.infer<typeof accuracySchema>;
export type Roofs = z.infer<typeof roofsSchema>;
export type ServerResult = z.infer<typeof serverSchema>;
export type OfflineResult = z.infer<typeof offlineSchema>;
export type Scenario = 'single-stream' | 'server' | 'offline';

/** The published schema, as JSON. */
export function resultJsonSchema(): unknown {
  return {
    $id: 'urn:espalier:schema:bench-result-1',
    title: 'Result of espalier bench, version 1',
    ...z.toJSONSchema(resultSchema, { target: 'draft-7' }),
  };
}
