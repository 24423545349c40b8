/** Runs bench for a person: progress on the screen, tables at the end, Ctrl-C keeps what is finished. */
import { EspalierError } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import { bench, type BenchOptions } from '../measure/bench.js';
import { renderResult } from '../measure/table.js';
import { interruptSignal } from './training-progress.js';

export async function runBench(
  model: string,
  options: BenchOptions,
  json: string | undefined,
): Promise<void> {
  const { signal, release } = interruptSignal();
  const progress = progressLine();
  try {
    const result = await bench(model, { ...options, signal, say: progress.say });
    progress.clear();
    if (json !== undefined) await writeFileAtomic(json, `${JSON.stringify(result, null, 1)}\n`);
    console.log(renderResult(result));
    if (json !== undefined) console.log(`written: ${json}`);
    if (!result.complete) throw new EspalierError('INTERRUPTED', 'interrupted');
  } finally {
    progress.clear();
    release();
  }
}

/** One line that changes on a terminal; elsewhere a line when something new begins, rounds left out. */
function progressLine(): { say: (text: string) => void; clear: () => void } {
  const { stderr } = process;
  if (!stderr.isTTY) {
    let last = '';
    return {
      say: (text) => {
        const subject = text.split(': round')[0] ?? text;
        if (subject !== last) stderr.write(`${subject}\n`);
        last = subject;
      },
      clear: () => undefined,
    };
  }
  return {
    say: (text) => stderr.write(`\r\x1b[K${text.slice(0, (stderr.columns ?? 80) - 1)}`),
    clear: () => stderr.write('\r\x1b[K'),
  };
}
