/**
 * The commands of `espalier`, in the order of its help. A command's file says what it takes; what does the work is
 * imported when it runs, so that `espalier --help` and light commands load nothing heavy.
 */
import type { Command } from 'commander';
import { analyzeCommand } from './commands/analyze.js';
import { benchCommand } from './commands/bench.js';
import { compareCommand } from './commands/compare.js';
import { convertCommand } from './commands/convert.js';
import { doctorCommand } from './commands/doctor.js';
import { exportCommand } from './commands/export.js';
import { inspectCommand } from './commands/inspect.js';
import { pruneCommand } from './commands/prune.js';
import { reportCommand } from './commands/report.js';
import { runCommand } from './commands/run.js';
import { predictCommand } from './commands/predict.js';
import { serveCommand } from './commands/serve.js';
import { setupTensorflowCommand } from './commands/setup-tensorflow.js';
import { sweepCommand } from './commands/sweep.js';
import { trainCommand } from './commands/train.js';

export const COMMANDS: readonly (() => Command)[] = [
  trainCommand,
  pruneCommand,
  analyzeCommand,
  convertCommand,
  exportCommand,
  inspectCommand,
  runCommand,
  predictCommand,
  serveCommand,
  benchCommand,
  reportCommand,
  compareCommand,
  sweepCommand,
  setupTensorflowCommand,
  doctorCommand,
];
