/**
 * What a run is of, by content: a table, a model, a teacher. Kept in the checkpoint, so that a run goes on with what it was
 * begun with and nothing else: a table of as many rows but other values would train on with scalings that are not its own.
 */
import { createHash } from 'node:crypto';
import type { LayersModel } from '@tensorflow/tfjs-node';
import { EspalierError } from '../errors.js';

/** Digests by part (a column, a weight), for each thing that a run is of. */
export type Content = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** By weight what it holds, and what the model is made of. */
export function modelMarks(model: LayersModel): Record<string, string> {
  const digest = (data: string | NodeJS.ArrayBufferView) =>
    createHash('sha256').update(data).digest('hex').slice(0, 16);
  const weights = model.weights.map((weight, i): [string, string] => [
    `${i} ${weight.originalName}`,
    digest(weight.read().dataSync()),
  ]);
  const layers = model.layers.map((layer) => [layer.getClassName(), layer.getConfig()]);
  return { ...Object.fromEntries(weights), layers: digest(JSON.stringify(layers)) };
}

/** How many parts are named in a message. */
const NAMED = 5;

/**
 * Throws INVALID_ARGUMENT, naming the parts that differ, where a run is to go on with other content than it was begun with.
 * @returns what cannot be compared, as the checkpoint is of an espalier that kept no digests of it.
 */
export function requireSameContent(stored: Content, content: Content, path: string): string[] {
  const unknown: string[] = [];
  for (const [thing, parts] of Object.entries(content)) {
    const before = stored[thing];
    if (before === undefined) {
      unknown.push(thing);
      continue;
    }
    const names = [...new Set([...Object.keys(before), ...Object.keys(parts)])];
    const other = names.filter((name) => before[name] !== parts[name]);
    if (other.length === 0) continue;
    const more = other.length > NAMED ? ` and ${other.length - NAMED} more` : '';
    throw new EspalierError(
      'INVALID_ARGUMENT',
      `resume: the ${thing} is another one than the run of ${path} was begun with: it differs in ` +
        `${other.slice(0, NAMED).join(', ')}${more}; give the same one, or begin anew without --resume`,
      { parameter: thing, expected: `the ${thing} that the run was begun with`, received: other },
    );
  }
  return unknown;
}
