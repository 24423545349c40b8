/** Network → Program: layers become operations, then passes make fewer of them. Pure. */
import type { Network } from '../network/types.js';
import { checkProgram } from '../program/check.js';
import { lower } from './lower/index.js';
import { foldAffine } from './passes/fold-affine.js';
import { foldChannels } from './passes/fold-channels.js';
import { fuseActivation } from './passes/fuse-activation.js';
import { keepPlanes } from './passes/keep-planes.js';
import { tidy } from './passes/tidy.js';
import type { Program } from '../program/program.js';

/** In the order in which they run. Each changes no result beyond rounding. */
export const PASSES: readonly ((program: Program) => Program)[] = [
  tidy,
  keepPlanes,
  tidy,
  foldAffine,
  foldChannels,
  fuseActivation,
  tidy,
];

/**
 * The program of a network; its matrices are dense, and shared where a layer is called several times.
 * Throws UNSUPPORTED_LAYER naming the layer, its kind and what would help.
 */
export function compile(network: Network): Program {
  const program = PASSES.reduce((before, pass) => pass(before), lower(network));
  checkProgram(program);
  return program;
}
