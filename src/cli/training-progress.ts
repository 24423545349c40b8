/** How training looks on a screen: a bar for the run; where the output is a file, a line an epoch. */
import cliProgress from 'cli-progress';
import type { EpochReport, Progress } from '../progress.js';

function percent(share: number | undefined): string {
  return share === undefined ? '' : `${(share * 100).toFixed(1)} %`;
}

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** "epoch  3/35  loss 0.0123  validation RMSE 9.876  sparsity 45.0 %  best  2.1 s, 1 min 07 s left". */
function epochLine(report: EpochReport, left: number): string {
  const { epoch, epochs, loss, validationRmse, sparsity, best, seconds } = report;
  const parts = [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${loss.toPrecision(4)}`,
    `validation RMSE ${validationRmse.toPrecision(5)}`,
    ...(sparsity === undefined ? [] : [`sparsity ${percent(sparsity)}`]),
    ...(best ? ['best'] : []),
    `${seconds.toFixed(1)} s, ${duration(left)} left`,
  ];
  return parts.join('  ');
}

/** Lines go to `print`; the bar to stderr, and only on a terminal. `stop` takes the bar away. */
export function trainingProgress(
  print: (text: string) => void = console.log,
): Progress & { stop: () => void } {
  const interactive = process.stderr.isTTY;
  let bar: cliProgress.SingleBar | undefined;
  let began = 0;
  let firstStep = 0;
  let sparsity: number | undefined;
  const left = (step: number, steps: number) =>
    ((Date.now() - began) / 1000 / Math.max(1, step - firstStep)) * (steps - step);
  let last = { step: 0, steps: 1 };
  const clear = () => {
    if (bar !== undefined) process.stderr.write('\r\x1b[K');
  };
  return {
    say: (text) => {
      clear();
      print(text);
    },
    warn: (text) => {
      clear();
      console.error(`warning: ${text}`);
    },
    step: (report) => {
      last = report;
      if (began === 0) {
        began = Date.now();
        firstStep = report.step - 1;
      }
      sparsity = report.sparsity ?? sparsity;
      if (!interactive) return;
      const shown = {
        epoch: report.epoch,
        epochs: report.epochs,
        loss: report.loss.toPrecision(3),
        zeros: sparsity === undefined ? '' : `  sparsity ${percent(sparsity)}`,
        left: duration(left(report.step, report.steps)),
      };
      if (bar === undefined) {
        bar = new cliProgress.SingleBar({
          format: '{bar} epoch {epoch}/{epochs}  step {value}/{total}  loss {loss}{zeros}  {left} left',
          barsize: 24,
          stream: process.stderr,
          clearOnComplete: true,
          hideCursor: true,
        });
        bar.start(report.steps, report.step, shown);
      } else bar.update(report.step, shown);
    },
    epoch: (report) => {
      clear();
      print(epochLine(report, left(last.step, last.steps)));
    },
    stop: () => {
      bar?.stop();
      bar = undefined;
    },
  };
}

/** A signal that Ctrl-C and SIGTERM set: the first asks the work to end, a second one ends the process. */
export function interruptSignal(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}
