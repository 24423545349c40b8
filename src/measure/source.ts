/** The model to measure, as a program with dense matrices. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Program } from '../program/program.js';
import { compileNetwork, importModel } from '../convert.js';
import { withCsr } from '../engine/csr.js';
import { openEsp } from '../file/source.js';
import { readProgram } from '../file/read.js';
import { writeProgram } from '../file/write.js';
import { denseProgram } from '../program/dense.js';

export interface Source {
  program: Program;
  /** The bytes of the .esp file, where it is one. */
  esp?: Uint8Array;
  /** The path of the model.json, where it is one. */
  tfjs?: string;
}

/** Throws as loadModel does for what is no model. */
export async function readSource(model: string): Promise<Source> {
  const esp = await openEsp(model);
  if (esp !== null) return { program: denseProgram(readProgram(esp)), esp: esp.bytes };
  const program = denseProgram(await compileNetwork(await importModel(model)));
  const json = (await stat(model)).isDirectory() ? join(model, 'model.json') : model;
  return { program, tfjs: json.endsWith('.json') ? json : undefined };
}

/** The program as the bytes of an .esp file. */
export async function espBytes(program: Program): Promise<Uint8Array> {
  return writeProgram(withCsr(program));
}
