/** How good predictions are, in the target's own units. */

export interface Metrics {
  samples: number;
  /** Mean and population standard deviation of prediction / truth, over the samples whose truth is not 0. */
  ratio: { mean: number; deviation: number; samples: number };
  rmse: number;
  mae: number;
  /** 1 - squared error / squared deviation of the truth from its mean; NaN where the truth does not vary. */
  r2: number;
}

export function metricsOf(predicted: ArrayLike<number>, truth: ArrayLike<number>): Metrics {
  const n = truth.length;
  let mean = 0;
  for (let i = 0; i < n; i += 1) mean += truth[i]! / n;
  let squares = 0;
  let absolute = 0;
  let spread = 0;
  let ratios = 0;
  let ratioMean = 0;
  let ratioSquares = 0;
  for (let i = 0; i < n; i += 1) {
    const error = predicted[i]! - truth[i]!;
    squares += error * error;
    absolute += Math.abs(error);
    spread += (truth[i]! - mean) ** 2;
    if (truth[i] === 0) continue;
    ratios += 1;
    const ratio = predicted[i]! / truth[i]!;
    const step = ratio - ratioMean;
    ratioMean += step / ratios;
    ratioSquares += step * (ratio - ratioMean);
  }
  return {
    samples: n,
    ratio: {
      mean: ratios === 0 ? NaN : ratioMean,
      deviation: ratios === 0 ? NaN : Math.sqrt(ratioSquares / ratios),
      samples: ratios,
    },
    rmse: Math.sqrt(squares / n),
    mae: absolute / n,
    r2: spread > 0 ? 1 - squares / spread : NaN,
  };
}
