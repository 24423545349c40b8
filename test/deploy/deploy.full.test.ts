/**
 * deploy/spark/score.py on a local Spark, and the Dockerfile under hadolint. Runs in the suite `deploy` of
 * `npm run test:full`, which installs both; Spark needs Java.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Papa from 'papaparse';
import { beforeAll, describe, expect, it } from 'vitest';
import { convertModel, loadModel } from '../../src/index.js';

const packages = process.env.ESPALIER_DEPLOY_PYTHONPATH ?? '';
const python = process.env.ESPALIER_PYTHON ?? 'python3';
/** The folder of flights.csv; empty where it could not be had. */
const flights = process.env.ESPALIER_FLIGHTS ?? '';
const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const java = spawnSync('java', ['-version']).status === 0;

const COLUMNS = [
  'month',
  'day',
  'sched_dep_time',
  'sched_arr_time',
  'flight',
  'air_time',
  'distance',
  'hour',
];
COLUMNS.push('minute', 'dep_delay');
const ROWS = 20_000;
const PARTITIONS = 3;

let at = '';

beforeAll(async () => {
  at = await mkdtemp(join(tmpdir(), 'espalier-deploy-'));
  return () => rm(at, { recursive: true, force: true });
});

async function run(command: string, args: string[], input: string) {
  const child = spawn(command, args, {
    cwd: at,
    env: {
      ...process.env,
      PYTHONPATH: packages,
      // The folder that Spark would write to is where it runs.
      SPARK_LOCAL_DIRS: at,
      PATH: [process.execPath.replace(/\/[^/]*$/, ''), process.env.PATH].join(delimiter),
    },
  });
  let [out, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, errors };
}

describe.skipIf(packages === '')('past one machine', () => {
  it('hadolint finds nothing in the Dockerfile', () => {
    const { status, stdout } = spawnSync(join(packages, 'bin/hadolint'), [file('Dockerfile')], {
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it.skipIf(!java || flights === '')(
    'Spark (needs Java and the flights data) gives the numbers of one process, killed tasks retried',
    async () => {
      const model = join(at, 'model.esp');
      await convertModel(file('test/golden/models/mlp_regression/model.json'), model);
      // The first flights of the year, with a number each to sort and to compare them by.
      const lines = (await readFile(join(flights, 'flights.csv'), 'utf8')).split('\n', ROWS + 1);
      const table = join(at, 'flights.csv');
      const numbered = lines.map((line, i) => `${i === 0 ? 'row' : i},${line}`);
      await writeFile(table, `${numbered.join('\n')}\n`);
      const { data } = Papa.parse<Record<string, string>>(numbered.join('\n'), { header: true });
      const loaded = await loadModel(model);
      // Missing values are 0 here as in the job.
      const features = data.flatMap((row) => COLUMNS.map((name) => Number(row[name]) || 0));
      const own = loaded.runSync(Float32Array.from(features)) as Float32Array;
      const size = own.length / ROWS;
      const port = loaded.outputs[0]!.name;
      const outputs = size === 1 ? [port] : Array.from({ length: size }, (_, k) => `${port}_${k}`);
      const wanted = Array.from({ length: ROWS }, (_, row) => [
        row + 1,
        ...own.subarray(row * size, (row + 1) * size),
      ]);
      loaded.dispose();

      const marks = join(at, 'marks');
      await mkdir(marks);
      const asked = {
        ...{ score: file('deploy/spark'), command: [process.execPath, file('dist/cli/main.js')] },
        ...{ model, table, columns: COLUMNS, keep: ['row'], outputs, partitions: PARTITIONS, folder: marks },
      };
      const { code, out, errors } = await run(python, [file('test/deploy/spark.py')], JSON.stringify(asked));
      expect(code, errors.slice(-4000)).toBe(0);
      const answer = JSON.parse(out.trim().split('\n').at(-1)!) as Record<string, number[][]> & {
        partitions: number[];
        marks: string[];
        error: string;
      };
      expect(answer.partitions).toHaveLength(PARTITIONS);
      for (const run of ['whole', 'killed', 'scorer killed', 'submitted']) {
        expect(answer[run]!.length, run).toBe(ROWS);
        expect(answer[run], run).toEqual(wanted);
      }
      // Both tasks died once, and their second attempts were the ones that counted.
      expect(answer.marks).toEqual(expect.arrayContaining(['1-0', '1-1', 'scorer-0-0', 'scorer-0-1']));
      expect(answer.error).toMatch(/espalier predict ended with 2: .*model\.esp\.none/s);
    },
    240_000,
  );
});
