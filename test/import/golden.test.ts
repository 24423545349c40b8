import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import { importModel } from '../../src/import/index.js';
import type { Network } from '../../src/network/types.js';
import { runReference } from '../../src/reference/index.js';
import { GOLDEN, forms, goldenCases, readPort, worstError } from './golden-cases.js';

describe.each(['models', 'quantized', 'keras3'] as const)('golden %s', (set) => {
  for (const golden of goldenCases(set)) {
    it.each(forms(golden))(`${golden.name} %s computes what Keras computes`, async (file) => {
      const network = await importModel(join(golden.folder, file));
      const inputs = golden.inputs.map((port) => readPort(golden, port));
      const outputs = runReference(network, inputs);
      expect(outputs.map(({ shape }) => shape)).toEqual(golden.outputs.map(({ shape }) => shape));
      golden.outputs.forEach((port, i) => {
        expect(worstError(golden, outputs[i]!.data, readPort(golden, port).data)).toBeLessThanOrEqual(1);
      });
    });
  }
});

/** Computes once with halves. */
function tryOnce(network: Network): void {
  const inputs = network.inputs.map((port) => {
    const shape = network.values[port.value]!.shape.map((extent) => extent ?? 1);
    return { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5) };
  });
  runReference(network, inputs);
}

interface BadCase {
  readonly name: string;
  readonly expect: 'accept' | 'reject' | 'accept_or_reject' | 'accept_without_pollution';
  readonly why: string;
}

describe('golden bad', () => {
  const cases = JSON.parse(readFileSync(join(GOLDEN, 'bad', 'index.json'), 'utf8')) as BadCase[];
  it.each(cases)('$name: $expect ($why)', async ({ name, expect: expected }) => {
    let outcome: unknown = 'accepted';
    try {
      tryOnce(await importModel(join(GOLDEN, 'bad', name, 'model.json')));
    } catch (error) {
      outcome = error;
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    if (outcome !== 'accepted') {
      expect(outcome).toBeInstanceOf(EspalierError);
      expect((outcome as EspalierError).exitCode).toBe(2);
      expect((outcome as EspalierError).message).not.toContain('\n');
    }
    if (expected === 'reject') expect(outcome).not.toBe('accepted');
    if (expected === 'accept' || expected === 'accept_without_pollution') expect(outcome).toBe('accepted');
  });
});
