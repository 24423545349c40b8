/** The parent's side of rivals/layers.ts: a process of its own, pinned as the rivals are. */
import { fileURLToPath } from 'node:url';
import type { Program } from '../program/program.js';
import { Child, RivalError } from './race/child.js';
import type { BreakEven, LayersResult, Roofs } from './result.js';
import { inputsOf, type Settings } from './race/runner.js';
import type { BreakEvenRequest, LayersRequest } from './rivals/layers.js';

const MODULE = fileURLToPath(new URL('./rivals/layers.js', import.meta.url));

export interface Look {
  roofs: Roofs;
  layers: LayersResult[];
  breakEven: BreakEven[];
}

/**
 * Looks into the network at each batch size. `roofs` of before are taken over. With `breakEven` false that scan is left
 * out: the layers of another sparsity are the same. Undefined, with a word to the caller, where the process fails: the
 * rivals' times are worth having without it.
 */
export async function lookInside(
  program: Program,
  esp: string,
  settings: Settings,
  given: { roofs?: Roofs; breakEven: boolean },
): Promise<Look | undefined> {
  const { threads, batches, minTime, seed, say, signal } = settings;
  const child = new Child({ cores: settings.cores, timeout: settings.timeout });
  const stop = () => child.kill();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    say('looking into the layers');
    await child.load({ module: MODULE, context: { files: { esp }, inputs: [], outputs: [], threads } });
    const roofs = given.roofs ?? ((await child.ask('roofs', undefined, 30)) as Roofs);
    const layers: LayersResult[] = [];
    const breakEven: BreakEven[] = [];
    for (const batch of batches) {
      const request: LayersRequest = { inputs: inputsOf(program, batch, seed), seconds: minTime / 2, roofs };
      layers.push((await child.ask('layers', request, minTime)) as LayersResult);
    }
    for (const batch of given.breakEven ? batches : []) {
      say(`break-even sparsity of the layers, batch ${batch}`);
      const request: BreakEvenRequest = { batch, seconds: 10 * minTime };
      breakEven.push(...((await child.ask('break-even', request, 20 * minTime)) as BreakEven[]));
    }
    return { roofs, layers, breakEven };
  } catch (error) {
    if (!(error instanceof RivalError)) throw error;
    if (signal?.aborted !== true) say(`the layers were not looked into: ${error.message}`);
    return undefined;
  } finally {
    signal?.removeEventListener('abort', stop);
    await child.end();
  }
}
