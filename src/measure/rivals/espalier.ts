/** Our own engine, sparse and dense, through `runSync` and through `bind`. */
import type { Model } from '../../engine/model.js';
import type { Rival, RivalContext, RivalInput } from '../race/rival.js';

class Espalier implements Rival {
  private model: Model | undefined;

  constructor(
    readonly name: string,
    private readonly dense: boolean,
    private readonly bound: boolean,
  ) {}

  async load({ files, threads, cold = false }: RivalContext): Promise<void> {
    const { loadModel } = await import('../../load.js');
    this.model = await loadModel(files.esp, { threads, cold, ...(this.dense ? { layout: 'dense' } : {}) });
  }

  prepare(inputs: RivalInput[]): () => Float32Array[] {
    const { model } = this;
    if (model === undefined) throw new Error('not loaded');
    const batch = inputs[0]?.shape[0] ?? 1;
    // In the order of the model's inputs; one input alone is the plain array that most callers pass.
    const arrays = inputs.map(({ data }) => data);
    const outputs = model.outputs.map(
      ({ shape }) =>
        new Float32Array(shape.reduce((product: number, extent) => product * (extent ?? 1), batch)),
    );
    const given = arrays.length === 1 && arrays[0] !== undefined ? arrays[0] : arrays;
    const into = outputs.length === 1 && outputs[0] !== undefined ? outputs[0] : outputs;
    if (this.bound) {
      const call = model.bind({ inputs: given, outputs: into });
      return () => {
        call();
        return outputs;
      };
    }
    const options = { outputs: into };
    return () => {
      model.runSync(given, options);
      return outputs;
    };
  }

  run(inputs: RivalInput[]): Float32Array[] {
    return this.prepare(inputs)();
  }

  dispose(): void {
    this.model?.dispose();
    this.model = undefined;
  }
}

/** The rival for a variant of the roster. */
export function make(variant: string): Rival {
  const dense = variant.includes('dense');
  const bound = variant.includes('bind');
  return new Espalier(`espalier ${dense ? 'dense ' : ''}${bound ? 'bind' : 'runSync'}`, dense, bound);
}
