#!/usr/bin/env node
/**
 * Damaged files of every format that is read, for as long as wanted; `npm test` has a small fixed part of it.
 *
 *   npm run fuzz -- [--minutes 10] [--seed 1] [--format esp --format arrow …]
 *
 * Each file is read in a child process that can be ended. Found counts: more than 5 s and 1 s for each 10 MB; more memory
 * than ten times the file and 64 MB (twice, as the collector has its own time); an error that is not an EspalierError, or
 * is INTERNAL; a signal. What is found is kept in runs/fuzz, by format, seed and number; the exit code is then 1.
 */
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { exitOnInterrupt } from '../install/run.mjs';
import { FORMATS, mutated, seedFiles } from './lib/fuzzing.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    format: { type: 'string', multiple: true, default: [] },
  },
});
const unknown = values.format.filter((name) => !FORMATS.includes(name));
const minutes = Number(values.minutes);
const first = Number(values.seed);
if (unknown.length > 0 || !(minutes > 0) || !Number.isSafeInteger(first)) {
  console.error(`expected --minutes above 0, a whole --seed and formats among ${FORMATS.join(', ')}`);
  process.exit(2);
}
const formats = values.format.length > 0 ? values.format : FORMATS;
const found = join(resolve(import.meta.dirname, '..'), 'runs/fuzz');
const folder = mkdtempSync(join(tmpdir(), 'espalier-fuzz-'));
exitOnInterrupt();
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const READER = fileURLToPath(new URL('lib/fuzz-reader.mjs', import.meta.url));
let child;

/** Reads one file in the child: what came of it, or how it ended. */
function read(format, path, bytes) {
  const limit = 5000 + Math.ceil(bytes / 10e6) * 1000;
  child ??= fork(READER, [folder], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  return new Promise((done) => {
    const end = (outcome, restart) => {
      clearTimeout(timer);
      child.removeAllListeners();
      if (restart) {
        child.kill('SIGKILL');
        child = undefined;
      }
      done(outcome);
    };
    // The first reading of a child loads its libraries.
    const timer = setTimeout(() => end({ fault: `more than ${limit} ms` }, true), limit + 10_000);
    child.on('message', (outcome) =>
      end(outcome.ms > limit ? { ...outcome, fault: `${outcome.ms} ms` } : outcome, false),
    );
    child.on('exit', (code, signal) => end({ fault: `ended by ${signal ?? code}` }, true));
    child.send({ format, path });
  });
}

const seeds = await seedFiles(folder);
const until = Date.now() + minutes * 60_000;
const tally = Object.fromEntries(
  formats.map((name) => [name, { files: 0, read: 0, refused: 0, found: 0, seconds: 0 }]),
);
for (let number = first; Date.now() < until; number++) {
  for (const format of formats) {
    const began = Date.now();
    const { path, bytes } = mutated(seeds[format], number, folder);
    let outcome = await read(format, path, bytes.length);
    const most = 64 * 2 ** 20 + 10 * bytes.length;
    if (outcome.fault === undefined && outcome.grown > most) {
      outcome = await read(format, path, bytes.length);
      if (outcome.grown > most) outcome.fault = `${outcome.grown} bytes more memory`;
    }
    const counts = tally[format];
    counts.files += 1;
    counts.seconds += (Date.now() - began) / 1000;
    if (outcome.fault !== undefined) {
      counts.found += 1;
      mkdirSync(found, { recursive: true });
      const kept = join(found, `${format}-${number}${seeds[format].extension}`);
      writeFileSync(kept, readFileSync(path));
      console.log(`found: ${format} ${number}: ${outcome.fault}: ${kept}`);
    } else if (outcome.code === 'read') counts.read += 1;
    else counts.refused += 1;
  }
}
child?.kill();
for (const [format, counts] of Object.entries(tally)) {
  const { files, read: whole, refused, found: faults, seconds } = counts;
  console.log(
    `${format}: ${files} files in ${Math.round(seconds)} s: ${whole} read, ${refused} refused, ${faults} found`,
  );
}
process.exitCode = Object.values(tally).some((counts) => counts.found > 0) ? 1 : 0;
