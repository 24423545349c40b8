import type { Program } from '../src/program/program.js';
export function networkOf(units: readonly number[], sparsity: number, seed?: number): Program;
