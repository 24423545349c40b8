/** onnxruntime-node: `run` with input tensors made beforehand. */
import { createRequire } from 'node:module';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { onnxInput, onnxOutput } from '../../export/port-names.js';
import type { Rival, RivalContext, RivalInput } from '../race/rival.js';

class OnnxRuntime implements Rival {
  readonly name = 'onnxruntime-node';
  private session: InferenceSession | undefined;
  private ort: typeof import('onnxruntime-node') | undefined;
  private outputs: string[] = [];

  async load({ files, threads, outputs }: RivalContext): Promise<void> {
    if (files.onnx === undefined) throw new Error('the network cannot be written as ONNX');
    this.ort = await import('onnxruntime-node');
    this.outputs = outputs.map((_, index) => onnxOutput(index));
    this.session = await this.ort.InferenceSession.create(files.onnx, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    });
  }

  prepare(inputs: RivalInput[]): () => Promise<Float32Array[]> {
    const { session, ort, outputs } = this;
    if (session === undefined || ort === undefined) throw new Error('not loaded');
    const feeds: Record<string, Tensor> = {};
    inputs.forEach(({ data, shape }, index) => {
      feeds[onnxInput(index)] = new ort.Tensor('float32', data, shape);
    });
    return async () => {
      const results = await session.run(feeds);
      return outputs.map((name) => results[name]?.data as Float32Array);
    };
  }

  run(inputs: RivalInput[]): Promise<Float32Array[]> {
    return this.prepare(inputs)();
  }

  async dispose(): Promise<void> {
    await this.session?.release();
    this.session = undefined;
  }

  versions(): Record<string, string> {
    const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as {
      version: string;
    };
    return { 'onnxruntime-node': version };
  }
}

export const rival = new OnnxRuntime();
