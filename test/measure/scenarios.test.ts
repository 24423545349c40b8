/** Arrivals, latency bounds, the loops of a rival's process and the lines that Python talks in. */
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { measure, serve } from '../../src/measure/race/loops.js';
import { checkOptions } from '../../src/measure/options.js';
import { decodeAnswer, encodeRequest, readLines } from '../../src/measure/race/python.js';
import { AGAINST, roster } from '../../src/measure/race/roster.js';
import { keepsBound, poissonArrivals } from '../../src/measure/race/scenarios.js';

describe('Poisson arrivals', () => {
  it('have exponential gaps: the mean is the rate, and the variance its square', () => {
    const rate = 1000;
    const arrivals = poissonArrivals(rate, 50, 20, 3);
    expect(Math.abs(arrivals.length - 50_000)).toBeLessThan(4 * Math.sqrt(50_000));
    const gaps = arrivals.map((at, i) => at - (arrivals[i - 1] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    expect(mean * rate).toBeCloseTo(1, 1);
    expect(variance * rate ** 2).toBeCloseTo(1, 1);
    // Without memory: of the gaps above the mean, 1/e is above twice the mean.
    const above = gaps.filter((gap) => gap > mean).length;
    expect(gaps.filter((gap) => gap > 2 * mean).length / above).toBeCloseTo(Math.exp(-1), 1);
  });

  it('ascend, are the same for the same seed, and never fewer than asked for', () => {
    const arrivals = poissonArrivals(2, 0.001, 20, 5);
    expect(arrivals.length).toBe(20);
    expect([...arrivals].sort((a, b) => a - b)).toEqual([...arrivals]);
    expect(poissonArrivals(2, 0.001, 20, 5)).toEqual(arrivals);
    expect(poissonArrivals(2, 0.001, 20, 6)).not.toEqual(arrivals);
  });
});

describe('the latency bound', () => {
  it('is kept by 99 of 100', () => {
    const latencies = (late: number) => Array.from({ length: 1000 }, (_, i) => (i < late ? 20_000 : 100));
    expect(keepsBound(latencies(5), 10)).toMatchObject({ met: true, p50: 100 });
    expect(keepsBound(latencies(20), 10).met).toBe(false);
    expect(keepsBound([10_000], 10).met).toBe(true);
  });
});

describe('loops', () => {
  it('serve each query, and give up where the queue grows beyond hope', async () => {
    let calls = 0;
    const quick = await serve(() => ++calls, { arrivals: Float64Array.of(0, 0.001, 0.004), giveUpMs: 1000 });
    expect([calls, quick.latencies.length, quick.overloaded]).toEqual([3, 3, false]);
    const slow = await serve(() => new Promise((done) => setTimeout(done, 20)), {
      arrivals: new Float64Array(5000),
      // Long enough for a second call on any machine.
      giveUpMs: 1000,
    });
    expect(slow.overloaded).toBe(true);
    expect(slow.latencies.length).toBeLessThan(5000);
    // The second waited for the first.
    expect(slow.latencies[1]).toBeGreaterThan(slow.latencies[0]!);
  });

  it('loop what is too short to time, and never when caches are flushed', async () => {
    const request = { warmUp: 5, seconds: 0.01, atLeast: 3 };
    expect((await measure(() => 1, request)).callsPerSample).toBeGreaterThan(1);
    const cold = await measure(() => 1, { ...request, flushBytes: 1 << 16 });
    expect(cold.callsPerSample).toBe(1);
    expect(cold.samples.length).toBeGreaterThanOrEqual(3);
    const later = await measure(() => Promise.resolve(), request);
    expect(later.callsPerSample).toBe(1);
  });
});

describe('lines of Python', () => {
  it('carry arrays both ways', () => {
    const data = Float32Array.of(1, -0, 3.5, Number.NaN);
    const line = encodeRequest({ do: 'compute', inputs: [{ name: 'x', shape: [2, 2], data }] });
    const { inputs } = JSON.parse(line) as { inputs: [{ data: unknown }] };
    const answer = decodeAnswer(JSON.stringify({ ok: true, value: { outputs: [inputs[0].data] } }));
    expect(answer).toEqual({ ok: true, value: { outputs: [data] } });
    const doubles = encodeRequest({ do: 'serve', arrivals: Float64Array.of(0.1), giveUpMs: 1 });
    expect(doubles).toContain('"dtype":"float64"');
  });

  it('are told from what libraries print', () => {
    for (const line of ['', 'WARNING: oneDNN', '{', '{"a": 1}', '[1]', '{"ok": "yes"}'])
      expect(decodeAnswer(line)).toBeUndefined();
  });

  it('may come in pieces', async () => {
    const lines: string[] = [];
    const stream = Readable.from([Buffer.from('{"a":'), Buffer.from('1}\nsec'), Buffer.from('ond\nrest')]);
    readLines(stream, (line) => lines.push(line));
    await new Promise((done) => stream.on('end', done));
    expect(lines).toEqual(['{"a":1}', 'second']);
  });
});

describe('options', () => {
  it.each([
    [{ scenarios: ['offfline'] }, '--scenario: expected some of single-stream, server, offline'],
    [{ latencyBound: 0 }, '--latency-bound'],
    [{ data: 'a.csv' }, '--target'],
    [{ target: 'y' }, '--data'],
    [{ dense: 'model.json' }, '--data'],
  ])('refuses %j', (options, message) => {
    expect(() => checkOptions(options)).toThrow(message);
  });

  it('single-stream is always there, once', () => {
    expect(checkOptions({ scenarios: ['server', 'single-stream'] }).scenarios).toEqual([
      'single-stream',
      'server',
    ]);
  });

  it('"all" is every rival, each once', () => {
    const ids = roster(['all', 'tfjs-node'], []).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBe(2 + Object.values(AGAINST).flat().length);
    for (const { install } of Object.values(AGAINST).flat()) expect(install).not.toBe('');
  });
});
