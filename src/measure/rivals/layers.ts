/**
 * No rival: the process in which espalier looks into itself. It measures the roofs of the machine, the time of each
 * operation within a call, and from which sparsity on each layer pays.
 */
import { readFile } from 'node:fs/promises';
import type { Matrix, Operation, Program } from '../../program/program.js';
import { withCsr } from '../../engine/csr.js';
import { addon } from '../../engine/find.js';
import { Model } from '../../engine/model.js';
import { readProgram } from '../../file/read.js';
import { imposeSparsity } from '../../program/dense.js';
import type { BreakEven, LayersResult, OperationResult, Roofs } from '../result.js';
import type { Rival, RivalContext, RivalInput } from '../race/rival.js';
import { median, seededRandom } from '../race/statistics.js';

export interface LayersRequest {
  inputs: RivalInput[];
  seconds: number;
  roofs: Roofs;
}

export interface BreakEvenRequest {
  batch: number;
  seconds: number;
}

/** Calls shorter than this are looked into with operations repeated: a look at the clock takes a part of a microsecond. */
const SHORT_CALL_US = 50;
const REPEATS = 20;
const LEAST_LOOKS = 5;
const MOST_LOOKS = 2000;

/** The finest step of a break-even sparsity is 0.96 / 2^5 = 0.03. */
const HIGHEST = 0.96;
const STEPS = 5;
/** Sparse counts as faster when it takes less than this part of the dense time: less is within the noise. */
const CLEARLY = 0.97;
/** Layers whose dense call takes longer than this would make the scan take minutes. */
const LONGEST_SCAN_US = 30_000;

interface Features {
  in: number;
  out: number;
}

function featuresOf(program: Program, operation: Operation): Features {
  const inputs = 'inputs' in operation ? operation.inputs : [operation.input];
  const features = (value: number) => program.values[value]?.features ?? 0;
  return { in: inputs.reduce((sum, value) => sum + features(value), 0), out: features(operation.output) };
}

/** Multiply-adds a sample: of the weights that are not zero, and as if none were. */
function workOf(operation: Operation): { rows: number; cols: number; nnz: number; uses: number } | undefined {
  const count = (values: Float32Array) => values.reduce((sum, value) => (value === 0 ? sum : sum + 1), 0);
  if ('weight' in operation) {
    const { rows, cols, values } = operation.weight;
    // An embedding looks a row up and computes nothing.
    if (operation.op === 'embedding') return undefined;
    const uses =
      operation.op === 'conv'
        ? operation.outHeight * operation.outWidth
        : operation.op === 'recurrent'
          ? operation.steps
          : operation.positions;
    return { rows, cols, nnz: count(values), uses };
  }
  if (operation.op === 'depthwise') {
    const rows = operation.channels * operation.multiplier;
    const uses = operation.outHeight * operation.outWidth;
    return { rows, cols: operation.weights.length / rows, nnz: count(operation.weights), uses };
  }
  return undefined;
}

function elapsed(call: () => void, times: number): number {
  const begin = performance.now();
  for (let i = 0; i < times; i++) call();
  return ((performance.now() - begin) * 1000) / times;
}

/** How many calls fill so many microseconds. */
function callsFor(call: () => void, us: number): number {
  for (let i = 0; i < 5; i++) call();
  const each = Math.max(elapsed(call, 3), 0.01);
  return Math.max(1, Math.min(100_000, Math.round(us / each)));
}

/** Random weights: what a layout gains depends on how many zeros there are and where, not on the values. */
function gaussian(length: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from(
    { length },
    () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}

class Layers implements Rival {
  readonly name = 'espalier, layer by layer';
  private program: Program | undefined;
  private sparse: Model | undefined;
  private dense: Model | undefined;
  private threads = 1;

  async load({ files, threads }: RivalContext): Promise<void> {
    this.threads = threads;
    this.program = readProgram(await readFile(files.esp));
    this.sparse = new Model(this.program, { threads, batchSizes: [1] });
    this.dense = new Model(this.program, { threads, batchSizes: [1], layout: 'dense' });
  }

  run(): Float32Array[] {
    return [];
  }

  dispose(): void {
    this.sparse?.dispose();
    this.dense?.dispose();
  }

  ask(what: string, given: unknown): unknown {
    switch (what) {
      case 'roofs':
        return { threads: this.threads, ...addon().peaks(this.threads) } satisfies Roofs;
      case 'layers':
        return this.layers(given as LayersRequest);
      case 'break-even':
        return this.breakEven(given as BreakEvenRequest);
      default:
        throw new Error(`no such question: ${what}`);
    }
  }

  private layers({ inputs, seconds, roofs }: LayersRequest): LayersResult {
    const { program, sparse, dense } = this;
    if (program === undefined || sparse === undefined || dense === undefined) throw new Error('not loaded');
    const batch = inputs[0]?.shape[0] ?? 1;
    const arrays = inputs.map(({ data }) => data);
    const given = arrays.length === 1 && arrays[0] !== undefined ? arrays[0] : arrays;
    const call = sparse.bind({
      inputs: given,
      outputs: program.outputs.map(
        ({ value }) => new Float32Array(batch * (program.values[value]?.features ?? 0)),
      ),
    });
    for (let i = 0; i < 5; i++) call();
    const repeats = elapsed(call, 5) < SHORT_CALL_US ? REPEATS : 1;
    const looks: Float64Array[] = [];
    const denseLooks: Float64Array[] = [];
    const totals: number[] = [];
    const end = performance.now() + seconds * 1000;
    const loops = repeats === 1 ? 1 : 50;
    while (looks.length < LEAST_LOOKS || (performance.now() < end && looks.length < MOST_LOOKS)) {
      totals.push(elapsed(call, loops));
      looks.push(sparse.profile(given, repeats));
      denseLooks.push(dense.profile(given, repeats));
    }
    const medianOf = (list: Float64Array[], at: number) => median(list.map((look) => look[at] ?? 0)) / 1000;
    const totalUs = median(totals);
    const explained = sparse.explain(batch);
    // One call touches all of it: what does not fit the last cache comes from memory again each time.
    const touched =
      explained.reduce((sum, { bytes }) => sum + bytes, 0) +
      4 * batch * program.values.reduce((sum, { features }) => sum + features, 0);
    const roof = touched <= addon().cpu().caches.l3 ? ('cache' as const) : ('memory' as const);
    const bandwidth = roof === 'cache' ? roofs.cacheGBs : roofs.memoryGBs;
    const sum = program.operations.reduce((all, _, at) => all + medianOf(looks, at), 0);
    const whole = Math.max(totalUs, sum);
    const operations = program.operations.map((operation, at): OperationResult => {
      const info = explained[at];
      const us = medianOf(looks, at);
      const work = workOf(operation);
      const { in: read, out: written } = featuresOf(program, operation);
      const flops = work === undefined ? 0 : 2 * work.nnz * work.uses * batch;
      const denseFlops = work === undefined ? 0 : 2 * work.rows * work.cols * work.uses * batch;
      const bytes = (info?.bytes ?? 0) + 4 * batch * (read + written);
      const intensity = bytes === 0 ? 0 : flops / bytes;
      return {
        ...{ name: operation.name, op: operation.op, rows: work?.rows ?? 0, cols: work?.cols ?? 0 },
        ...{ nnz: work?.nnz ?? 0, layout: info?.layout ?? '', kernel: info?.kernel ?? '' },
        sparsity: work === undefined ? null : 1 - work.nnz / (work.rows * work.cols),
        us,
        denseUs: 'weight' in operation ? medianOf(denseLooks, at) : null,
        share: whole === 0 ? 0 : us / whole,
        ...{ flops, denseFlops, bytes, intensity, roof },
        gflops: us === 0 ? 0 : flops / us / 1000,
        denseGflops: us === 0 ? 0 : denseFlops / us / 1000,
        attainableGflops: Math.min(roofs.fmaGflops, intensity * bandwidth),
        bound: intensity * bandwidth < roofs.fmaGflops ? 'memory' : 'compute',
      };
    });
    return { batch, totalUs: whole, otherUs: whole - sum, repeats, operations };
  }

  private breakEven({ batch, seconds }: BreakEvenRequest): BreakEven[] {
    const { program } = this;
    if (program === undefined) throw new Error('not loaded');
    const known = new Map<string, Omit<BreakEven, 'name'>>();
    const end = performance.now() + seconds * 1000;
    const found: BreakEven[] = [];
    for (const operation of program.operations) {
      // A recurrent layer alone is no network of one operation: its inputs are products of others.
      if (operation.op !== 'linear' && operation.op !== 'conv') continue;
      const { weight, bias, name, ...shape } = operation;
      const { rows, cols } = weight;
      // Layers of the same form are measured once.
      const key = JSON.stringify([rows, cols, bias === null, { ...shape, input: 0, output: 0 }]);
      let one = known.get(key);
      if (one === undefined) {
        if (performance.now() > end) continue;
        const scanned = this.scan(operation, featuresOf(program, operation), batch);
        if (scanned === undefined) continue;
        known.set(key, (one = scanned));
      }
      found.push({ ...one, name });
    }
    return found;
  }

  /** Bisection between no zeros, where dense is at home, and the highest sparsity. */
  private scan(
    operation: Extract<Operation, { op: 'linear' | 'conv' }>,
    features: Features,
    batch: number,
  ): Omit<BreakEven, 'name'> | undefined {
    const { rows, cols } = operation.weight;
    const values = gaussian(rows * cols, 7);
    const input = gaussian(batch * features.in, 11);
    const bound = (sparsity: number, layout?: string) => {
      const weight: Matrix = { format: 'dense', rows, cols, values: imposeSparsity(values, sparsity) };
      const port = (name: string, value: number, extent: number) => ({
        ...{ name, shape: [null, extent], dtype: 'float32' as const, value },
      });
      const program: Program = {
        ...{ version: 1, name: operation.name },
        values: [{ features: features.in }, { features: features.out }],
        inputs: [port('x', 0, features.in)],
        outputs: [port('y', 1, features.out)],
        operations: [{ ...operation, weight, input: 0, output: 1 }],
      };
      const model = new Model(withCsr(program), { threads: this.threads, batchSizes: [batch], layout });
      return {
        model,
        call: model.bind({ inputs: input, outputs: new Float32Array(batch * features.out) }),
        layout: model.explain(batch)[0]?.layout ?? '',
      };
    };
    const dense = bound(0, 'dense');
    try {
      const denseCalls = callsFor(dense.call, 2000);
      const guess = elapsed(dense.call, denseCalls);
      if (guess > LONGEST_SCAN_US) return undefined;
      const denseTimes: number[] = [guess];
      const points: BreakEven['points'] = [];
      const faster = (sparsity: number): boolean => {
        const sparse = bound(sparsity);
        try {
          const calls = callsFor(sparse.call, 2000);
          const own: number[] = [];
          const other: number[] = [];
          for (let round = 0; round < 5; round++) {
            own.push(elapsed(sparse.call, calls));
            other.push(elapsed(dense.call, denseCalls));
          }
          denseTimes.push(...other);
          points.push({ sparsity, us: median(own), layout: sparse.layout });
          return !sparse.layout.startsWith('dense') && median(own) < CLEARLY * median(other);
        } finally {
          sparse.model.dispose();
        }
      };
      let sparsity: number | null = null;
      if (faster(HIGHEST)) {
        let [low, high] = [0, HIGHEST];
        for (let step = 0; step < STEPS; step++) {
          const middle = (low + high) / 2;
          if (faster(middle)) high = middle;
          else low = middle;
        }
        sparsity = high;
      }
      points.sort((a, b) => a.sparsity - b.sparsity);
      return { op: operation.op, rows, cols, batch, sparsity, denseUs: median(denseTimes), points };
    } finally {
      dense.model.dispose();
    }
  }
}

export const rival = new Layers();
