/** The command `espalier doctor`: what of the installation works, a line a check. */
import { Command } from 'commander';
import { EspalierError } from '../../errors.js';
import type { Check, Diagnosis } from '../../setup/doctor.js';

/** `espalier doctor`: exit code 0 if models run here (with --training: if networks train too), 1 otherwise. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('tell what is installed, what is used of this machine, and what is missing with its remedy')
    .option('--training', 'exit with 1 unless tfjs-node works too')
    .option('--project <folder>', 'the project whose tfjs-node and onnxruntime-node are looked at', '.')
    .option('--json', 'print it as JSON')
    .action(async (options: { training?: boolean; project: string; json?: boolean }) => {
      const { diagnose } = await import('../../setup/doctor.js');
      const diagnosis = await diagnose({ project: options.project });
      console.log(options.json === true ? JSON.stringify(diagnosis, null, 2) : renderDiagnosis(diagnosis));
      if (!diagnosis.inference) {
        throw new EspalierError('ADDON_MISSING', 'models do not run here: see above for the remedy');
      }
      if (options.training === true && !diagnosis.training) {
        throw new EspalierError('TENSORFLOW_MISSING', 'networks do not train here: see above for the remedy');
      }
    });
}

const MARKS: Record<Check['status'], string> = { ok: 'ok     ', broken: 'BROKEN ', missing: 'missing' };

export function renderDiagnosis({ machine, engine, checks, inference, training }: Diagnosis): string {
  const megabytes = Math.round(machine.memoryBytes / 1024 ** 2);
  const lines = [
    `machine  ${machine.cpu} (${machine.architecture}), ${machine.cores} cores, ${megabytes} MB, ${machine.system}`,
  ];
  if (engine !== null) {
    const { l1d, l2, l3 } = engine.caches;
    const kilobytes = [l1d, l2, l3].map((size) => `${Math.round(size / 1024)} KB`).join(' / ');
    const forced = engine.forced === null ? '' : `, forced by ESPALIER_ISA=${engine.forced}`;
    lines.push(
      `engine   ${engine.isa} in use of ${engine.available.join(', ')}${forced}; caches ${kilobytes}`,
    );
  }
  const width = Math.max(...checks.map(({ name, version }) => `${name} ${version ?? ''}`.length));
  lines.push('');
  for (const check of checks) {
    const what = `${check.name} ${check.version ?? ''}`.padEnd(width);
    lines.push(`${MARKS[check.status]}  ${what}  ${check.detail}`);
    if (check.remedy !== null) {
      const indent = ' '.repeat(9);
      lines.push(`${indent}needed for ${check.neededFor}. Mend it with: ${check.remedy}`);
    }
  }
  lines.push(
    '',
    `inference: ${inference ? 'models run here' : 'models do not run here'}`,
    `training: ${training ? 'networks train here' : 'networks do not train here'}`,
  );
  return lines.join('\n');
}
