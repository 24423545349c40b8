import type { Program } from '../src/compile/program.js';
export function networkOf(units: readonly number[], sparsity: number, seed?: number): Program;
