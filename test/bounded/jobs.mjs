/** Jobs for the test of runBounded. */
export const double = async (numbers) => ({ numbers: numbers.map((n) => 2 * n) });

export async function views() {
  const shared = new Float32Array(100_000).fill(1);
  return { a: shared.subarray(0, 50_000), b: shared.subarray(50_000) };
}

export async function never() {
  for (;;);
}

export async function typeError() {
  return undefined.features;
}

export async function ours(module) {
  const { EspalierError } = await import(module);
  throw new EspalierError('INVALID_MODEL', 'layer a: expected b', { parameter: 'a', received: () => 1 });
}

export async function memory() {
  const kept = [];
  for (;;) {
    kept.push(new Uint8Array(16 * 2 ** 20).fill(1));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
