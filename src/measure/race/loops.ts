/** What runs inside a rival's process while it is timed. Nothing but Node is imported: memory and time are the rival's. */

export type Call = () => unknown;

export interface Measured {
  /** Microseconds a call; where callsPerSample > 1 each number is the mean of that many calls in a loop. */
  samples: Float64Array;
  callsPerSample: number;
}

export interface MeasureRequest {
  warmUp: number;
  seconds: number;
  /** Samples, at least. */
  atLeast: number;
  /** Written between calls, so that nothing of the network is left in the caches; 0 or absent: warm. */
  flushBytes?: number;
}

/** Shorter samples than this drown in the clock (about 0.05 µs to read it): calls are looped to reach it. */
const SHORTEST_SAMPLE_US = 20;

let flushed: Float64Array | undefined;

function flush(bytes: number): void {
  flushed ??= new Float64Array(Math.ceil(bytes / 8));
  for (let i = 0; i < flushed.length; i += 8) flushed[i] = (flushed[i] ?? 0) + 1;
}

/** At least `warmUp` calls, then calls for `seconds` and at least `atLeast` samples. */
export async function measure(timed: Call, request: MeasureRequest): Promise<Measured> {
  let isAsync = false;
  let quickest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < Math.max(request.warmUp, 1); i++) {
    const started = performance.now();
    const answer = timed();
    if (answer instanceof Promise) {
      isAsync = true;
      await answer;
    }
    quickest = Math.min(quickest, performance.now() - started);
  }
  if ((request.flushBytes ?? 0) > 0) return measureCold(timed, request);
  return isAsync ? measureAsync(timed, request) : measureSync(timed, request, quickest * 1000);
}

async function measureCold(timed: Call, request: MeasureRequest): Promise<Measured> {
  const samples: number[] = [];
  const end = performance.now() + request.seconds * 1000;
  while (performance.now() < end || samples.length < request.atLeast) {
    flush(request.flushBytes ?? 0);
    const before = performance.now();
    const answer = timed();
    if (answer instanceof Promise) await answer;
    samples.push((performance.now() - before) * 1000);
  }
  return { samples: Float64Array.from(samples), callsPerSample: 1 };
}

async function measureAsync(timed: Call, request: MeasureRequest): Promise<Measured> {
  const samples: number[] = [];
  const end = performance.now() + request.seconds * 1000;
  let now = performance.now();
  while (now < end || samples.length < request.atLeast) {
    await timed();
    const after = performance.now();
    samples.push((after - now) * 1000);
    now = performance.now();
  }
  return { samples: Float64Array.from(samples), callsPerSample: 1 };
}

function measureSync(timed: Call, request: MeasureRequest, guessUs: number): Measured {
  let callsPerSample = 1;
  if (guessUs < SHORTEST_SAMPLE_US) {
    // A single call cannot be timed: how long a thousand take tells how many make a sample.
    const started = performance.now();
    for (let i = 0; i < 1000; i++) void timed();
    const each = (performance.now() - started) * 1000 * 1e-3;
    callsPerSample = Math.max(1, Math.ceil(SHORTEST_SAMPLE_US / Math.max(each, 0.001)));
  }
  const samples: number[] = [];
  const end = performance.now() + request.seconds * 1000;
  let now = performance.now();
  while (now < end || samples.length < request.atLeast) {
    for (let i = 0; i < callsPerSample; i++) void timed();
    const after = performance.now();
    samples.push(((after - now) * 1000) / callsPerSample);
    now = performance.now();
  }
  return { samples: Float64Array.from(samples), callsPerSample };
}

export interface ServeRequest {
  /** Seconds from the start at which queries arrive, ascending. */
  arrivals: Float64Array;
  /** Once a query has waited so many milliseconds the rate is lost, and the rest is not served. */
  giveUpMs: number;
}

export interface Served {
  /** Microseconds from the arrival of a query to its answer, in the order of arrival. */
  latencies: Float64Array;
  /** The queue grew beyond hope. */
  overloaded: boolean;
}

/** A timer is late by a millisecond or so: the rest of a wait is spun away. */
const SPIN_MS = 2;

/** Serves queries in order of arrival, one at a time. */
export async function serve(call: Call, { arrivals, giveUpMs }: ServeRequest): Promise<Served> {
  const latencies = new Float64Array(arrivals.length);
  const begin = performance.now();
  for (let i = 0; i < arrivals.length; i++) {
    const due = (arrivals[i] ?? 0) * 1000;
    const wait = due - (performance.now() - begin);
    if (wait > SPIN_MS) await new Promise((resolve) => setTimeout(resolve, wait - SPIN_MS));
    while (performance.now() - begin < due);
    const answer = call();
    if (answer instanceof Promise) await answer;
    const late = performance.now() - begin - due;
    latencies[i] = late * 1000;
    if (late > giveUpMs) return { latencies: latencies.slice(0, i + 1), overloaded: true };
  }
  return { latencies, overloaded: false };
}
