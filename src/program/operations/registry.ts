/** Every operation, a line each: what else knows them all is made from this list. */
import { EspalierError } from '../../errors.js';
import type { AnyOperation, OperationDefinition } from '../definition.js';
import { activate } from './activate.js';
import { add } from './add.js';
import { affine } from './affine.js';
import { channelAffine } from './channel-affine.js';
import { channelScale } from './channel-scale.js';
import { combine } from './combine.js';
import { concat } from './concat.js';
import { conv } from './conv.js';
import { depthwise } from './depthwise.js';
import { embedding } from './embedding.js';
import { frame } from './frame.js';
import { gather } from './gather.js';
import { globalPool } from './global-pool.js';
import { linear } from './linear.js';
import { logSoftmax } from './log-softmax.js';
import { maskScores } from './mask-scores.js';
import { matmul } from './matmul.js';
import { normalize } from './normalize.js';
import { pool } from './pool.js';
import { recurrent } from './recurrent.js';
import { softmax } from './softmax.js';
import { stepMask } from './step-mask.js';
import { toPixels } from './to-pixels.js';
import { toPlanes } from './to-planes.js';

/** In the order of docs/format.md. */
const LIST = [
  linear,
  affine,
  activate,
  softmax,
  add,
  concat,
  combine,
  gather,
  toPlanes,
  toPixels,
  frame,
  conv,
  depthwise,
  pool,
  globalPool,
  channelAffine,
  channelScale,
  logSoftmax,
  normalize,
  embedding,
  recurrent,
  matmul,
  stepMask,
  maskScores,
] as const;

/** An operation of a program, of whatever kind. */
export type Operation = (typeof LIST)[number] extends infer D
  ? D extends OperationDefinition<infer O>
    ? O
    : never
  : never;

/** The operations, unspecific of their type. */
export const OPERATIONS = LIST as unknown as readonly OperationDefinition<Operation & AnyOperation>[];

const BY_OP: ReadonlyMap<string, OperationDefinition<Operation>> = new Map(
  OPERATIONS.map((definition) => [definition.op, definition]),
);

/** @throws EspalierError UNSUPPORTED_FORMAT for a kind that is unknown */
export function definitionOf({ op }: { readonly op: string }): OperationDefinition<Operation> {
  const found = BY_OP.get(op);
  if (found === undefined) {
    throw new EspalierError('UNSUPPORTED_FORMAT', `unknown operation ${JSON.stringify(op)}`, {
      parameter: 'operation',
      expected: [...BY_OP.keys()].join(', '),
      received: op,
    });
  }
  return found;
}
