/**
 * `npm run bench:ci`: a short run of the suites, and their ratios against the committed floors of floors.json. Exits with
 * 1 where one is missed. Engines that are not installed are named and not judged.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkFloors } from './floors.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const { floors } = JSON.parse(readFileSync(join(here, 'floors.json'), 'utf8'));
const names = [...new Set(floors.map(({ suite }) => suite))];
const folder = mkdtempSync(join(tmpdir(), 'espalier-floors-'));
try {
  const json = join(folder, 'suites.json');
  const { status } = spawnSync(
    process.execPath,
    [join(here, 'run.mjs'), '--short', '--json', json, ...names],
    {
      stdio: 'inherit',
    },
  );
  if (status !== 0) process.exit(status ?? 1);
  const lines = checkFloors(JSON.parse(readFileSync(json, 'utf8')).suites, floors);
  for (const { verdict, suite, network, batch, id, over, atLeast, ratio } of lines) {
    const what = suite === 'size' ? `${network} ${over}` : `${network} batch ${batch}, ${id} over ${over}`;
    console.log(`${verdict.padEnd(6)} ${what}: ${ratio?.toFixed(2) ?? 'not measured'}, floor ${atLeast}`);
  }
  process.exitCode = lines.some(({ verdict }) => verdict === 'MISS') ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
