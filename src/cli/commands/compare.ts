/** The command `espalier compare`: two results of bench, told apart from noise. */
import { Command } from 'commander';
import { EspalierError } from '../../errors.js';

interface Flags {
  failIfSlower?: string;
  json?: string;
}

/** `espalier compare`: two results of bench; exit code 1 where the second is slower than allowed. */
export function compareCommand(): Command {
  return new Command('compare')
    .description('compare two results of bench: which differences are beyond the noise')
    .argument('<a.json>', 'what `espalier bench --json` wrote, before')
    .argument('<b.json>', 'and after')
    .option(
      '--fail-if-slower <share>',
      'exit code 1 where espalier is slower in B by more than this, such as 5%, beyond the noise',
    )
    .option('--json <file>', 'write the comparison')
    .action(async (a: string, b: string, { failIfSlower, json }: Flags) => {
      const [{ readResult }, { compareResults, parseShare, regressions }, { renderComparison }] =
        await Promise.all([
          import('../../report/results.js'),
          import('../../report/compare.js'),
          import('../../report/compare-text.js'),
        ]);
      const limit = failIfSlower === undefined ? undefined : parseShare(failIfSlower);
      const comparison = compareResults(await readResult(a), await readResult(b));
      console.log(renderComparison(comparison));
      if (json !== undefined) {
        const { writeFileAtomic } = await import('../../files.js');
        const answer = { format: 'espalier-comparison', version: 1, a, b, ...comparison };
        await writeFileAtomic(json, `${JSON.stringify(answer, null, 1)}\n`);
        console.log(`written: ${json}`);
      }
      if (comparison.differences.length === 0) {
        throw new EspalierError('INVALID_DATA', 'the two results have no time in common', {
          parameter: b,
        });
      }
      const slower = limit === undefined ? [] : regressions(comparison, limit);
      if (slower.length > 0) {
        const list = slower.map(
          ({ network, engine, batch, ratio }) =>
            `${engine} at batch ${batch}, ${network}: +${(100 * (ratio - 1)).toFixed(1)} %`,
        );
        throw new EspalierError('REGRESSION', `slower than ${failIfSlower} allows: ${list.join('; ')}`, {
          parameter: '--fail-if-slower',
          expected: limit,
          received: Math.max(...slower.map(({ ratio }) => ratio - 1)),
        });
      }
    });
}
