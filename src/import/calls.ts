/** The calls of a functional model: how references find them, and an order in which they can be made. */
import type { Origin } from '../keras/config.js';
import { wrong } from '../network/untrusted.js';
import type { Call, LayerConfig, ModelConfig, TensorRef } from './topology.js';
import { TensorArgument, isModelClass } from './topology.js';

export interface OrderedCall {
  readonly layer: LayerConfig;
  readonly call: Call;
  /** Under which its results are found. */
  readonly key: string;
}

/** All tensors that a call needs: its inputs and those among its keyword arguments. */
function refsOf(call: Call): TensorRef[] {
  const refs = [...call.inputs];
  const collect = (value: unknown): void => {
    if (value instanceof TensorArgument) refs.push(value.ref);
    else if (Array.isArray(value)) value.forEach(collect);
  };
  Object.values(call.kwargs).forEach(collect);
  return refs;
}

function showRef(ref: TensorRef): string {
  return `[${ref.layer.slice(0, 60)}, ${ref.node}, ${ref.tensor}]`;
}

export class Calls {
  private readonly all: readonly OrderedCall[];
  /** What is subtracted from a reference's node index: nested models count their own graph as call 0. */
  private readonly offsets = new Map<string, number>();

  constructor(
    config: ModelConfig,
    private readonly origin: Origin,
  ) {
    const seen = new Map<string, Set<number>>();
    const note = (ref: TensorRef): void => {
      if (!seen.has(ref.layer)) seen.set(ref.layer, new Set());
      seen.get(ref.layer)!.add(ref.node);
    };
    config.layers.forEach((layer) => layer.calls.forEach((call) => refsOf(call).forEach(note)));
    config.outputs.forEach(note);
    for (const layer of config.layers) {
      if (isModelClass(layer.className))
        this.offsets.set(layer.name, this.offset(layer, seen.get(layer.name)));
    }
    this.all = config.layers.flatMap((layer) =>
      layer.calls.map((call, i) => ({ layer, call, key: `${i}:${layer.name}` })),
    );
  }

  /** Where references leave a choice the rule of the library that wrote the file decides. */
  private offset(layer: LayerConfig, seen: ReadonlySet<number> = new Set()): number {
    if (seen.has(0)) return 0;
    if (seen.has(layer.calls.length)) return 1;
    return this.origin.keras === 3 && layer.className === 'Sequential' ? 0 : 1;
  }

  key(ref: TensorRef): string {
    return `${ref.node - (this.offsets.get(ref.layer) ?? 0)}:${ref.layer}`;
  }

  /** The value that a reference means. @throws INVALID_MODEL where there is none. */
  find(ref: TensorRef, results: ReadonlyMap<string, number[]>, what: string): number {
    const value = results.get(this.key(ref))?.[ref.tensor];
    if (value === undefined) throw wrong(what, 'a tensor that a layer of the model gives', showRef(ref));
    return value;
  }

  /** Every call, each after those that it needs. @throws INVALID_MODEL for cycles and references to nothing. */
  inOrder(given: ReadonlyMap<string, unknown>): OrderedCall[] {
    const byKey = new Map(this.all.map((entry) => [entry.key, entry]));
    const waiting = new Map<string, number>();
    const users = new Map<string, string[]>();
    for (const { layer, call, key } of this.all) {
      const refs = refsOf(call);
      for (const ref of refs) {
        if (!given.has(this.key(ref)) && !byKey.has(this.key(ref))) {
          throw wrong(`layer ${layer.name}: inbound_nodes`, 'calls of layers of the model', showRef(ref));
        }
      }
      const needs = new Set(refs.map((ref) => this.key(ref)).filter((needed) => !given.has(needed)));
      waiting.set(key, needs.size);
      for (const needed of needs) {
        if (!users.has(needed)) users.set(needed, []);
        users.get(needed)!.push(key);
      }
    }
    const ready = this.all.filter(({ key }) => waiting.get(key) === 0);
    for (let i = 0; i < ready.length; i++) {
      for (const user of users.get(ready[i]!.key) ?? []) {
        const left = waiting.get(user)! - 1;
        waiting.set(user, left);
        if (left === 0) ready.push(byKey.get(user)!);
      }
    }
    if (ready.length < this.all.length) {
      const stuck = this.all.find(({ key }) => waiting.get(key)! > 0)!;
      throw wrong(`layer ${stuck.layer.name}: inbound_nodes`, 'a graph without cycles', 'a cycle');
    }
    return ready;
  }
}
