/** A written model, read again, must be the network that was written: what a reader would compute is known before. */
import { isRecord, unsupported } from '../network/untrusted.js';
import type { Origin } from '../keras/config.js';
import { prepareNetwork } from '../import/build.js';
import { readLayerConfig } from '../import/topology.js';
import type { Network, Tensor } from '../network/types.js';
import type { WrittenModel } from './topology.js';

/** Each value as a number that is the same for equal computations of the same inputs, in any order of the nodes. */
function outputsOf(network: Network, names: readonly string[], known: Map<string, number>): number[] {
  const ids: number[] = [];
  const id = (text: string): number => {
    if (!known.has(text)) known.set(text, known.size);
    return known.get(text)!;
  };
  network.inputs.forEach(({ value }, i) => {
    ids[value] = id(`input ${i} ${JSON.stringify(network.values[value])}`);
  });
  for (const { layer, inputs, outputs } of network.nodes) {
    const { kind, settings } = network.layers[layer]!;
    // Functions (the kind inside TimeDistributed) are told by its names, which stay.
    const text = `${names[layer]} ${kind} ${JSON.stringify(settings, sorted)} ${inputs.map((value) => ids[value]).join()}`;
    outputs.forEach((value, i) => (ids[value] = id(`${text} ${i}`)));
  }
  return network.outputs.map(({ value }) => ids[value]!);
}

/** Keys in one order, so that equal settings have equal texts. */
function sorted(_key: string, value: unknown): unknown {
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // SimpleRNN has no gates.
  const used =
    value.cell === 'SimpleRNN' ? entries.filter(([key]) => key !== 'recurrentActivation') : entries;
  return Object.fromEntries(used);
}

/**
 * Reads the config as the importer reads files of `origin`.
 * @throws UNSUPPORTED_LAYER where a reader would compute something else.
 */
export function verify(network: Network, written: WrittenModel, origin: Origin): void {
  const weights = new Map(written.layers.map((layer) => [layer.name, layer]));
  const again = prepareNetwork(readLayerConfig(written.model, 'model'), origin).finish({
    bind: (layers) =>
      layers.map(({ path, specs }): Record<string, Tensor> => {
        const held = weights.get(path.join('/'))?.weights ?? [];
        const wanted = specs.filter(({ unused }) => unused !== true);
        return Object.fromEntries(wanted.map((spec, i) => [spec.name, held[i]!.tensor]));
      }),
  });
  const known = new Map<string, number>();
  const before = outputsOf(network, written.names, known);
  const names = again.layers.map(({ name }) => name.replace(/:\d+$/, ''));
  const after = outputsOf(again, names, known);
  const changed = before.findIndex((value, i) => value !== after[i]);
  if (changed < 0 && before.length === after.length) return;
  const output = network.outputs[Math.max(changed, 0)]!.name;
  throw unsupported(
    `output ${output}`,
    'a network whose masks or call arguments this format would change',
    'convert it to .esp instead',
  );
}
