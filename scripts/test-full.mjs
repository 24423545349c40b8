#!/usr/bin/env node
/**
 * `npm run test:full [-- NAME…]`: what `npm test` leaves out for its time; all of it, or the suites that are named. `ci`
 * names those that CI has time for; it ends with the commands for the others, which run before an issue is called resolved.
 *
 *   package               the package as its users get it: installed clean, built by CMake and by node-gyp
 *   keras                 Keras loads what is exported
 *   clients               clients that others wrote ask a server
 *   deploy                Spark, and the image
 *   asan tsan             the native tests under the sanitizers
 *   arm64 avx512          the native tests for arm64, and over a double of AVX-512
 *   fuzz                  the fuzz targets for a short while
 *   kill                  kill -9 of every command that writes
 */
import { exitOnInterrupt, seconds } from '../install/run.mjs';
import { Tally } from './lib/tally.mjs';
import {
  clientTests,
  crossTests,
  deployTests,
  doubledTests,
  fuzzSmoke,
  kerasTests,
  nativeTests,
  vitest,
} from './lib/suites.mjs';
import { reportFailure, root, setup } from './setup.mjs';

exitOnInterrupt();

const sanitized = (label, folder, sanitize, env) => ({
  label,
  builds: true,
  run: () => nativeTests(root, { label, folder, args: [`-DESPALIER_SANITIZE=${sanitize}`], env }),
});

/**
 * By the names that are asked for. `builds`: it keeps every core busy with compiling, so that such suites run one after
 * another; the others, which wait for downloads and processes, run beside them. `late`: why CI leaves it out.
 */
const SUITES = {
  package: {
    label: 'the package',
    run: () =>
      vitest(root, {
        args: ['package.full.test.ts'],
        report: 'build/vitest-full.json',
        env: { ESPALIER_FULL: '1' },
      }),
  },
  keras: {
    label: 'Keras loads what is exported',
    late: '1.5 GB of Python packages',
    run: () => kerasTests(root),
  },
  clients: {
    label: 'clients that others wrote',
    late: 'Python packages, and grpcurl that Go compiles',
    run: () => clientTests(root),
  },
  deploy: {
    label: 'Spark and the image',
    late: '430 MB of Spark; CI runs it where its files changed',
    run: () => deployTests(root),
  },
  kill: {
    label: 'kill -9 of every command that writes',
    late: 'minutes of commands that are killed twenty times each',
    run: () =>
      vitest(root, {
        args: ['kill.full.test.ts'],
        report: 'build/vitest-kill.json',
        env: { ESPALIER_FULL: '1' },
      }),
  },
  asan: sanitized('native tests (ASan, UBSan)', 'build/asan', 'address,undefined', {
    ASAN_OPTIONS: 'detect_leaks=1',
    UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  }),
  tsan: sanitized('native tests (TSan)', 'build/tsan', 'thread', { TSAN_OPTIONS: 'halt_on_error=1' }),
  arm64: {
    label: 'native tests for arm64',
    builds: true,
    late: 'four minutes of building and of QEMU',
    run: () => crossTests(root),
  },
  avx512: {
    label: 'native tests over AVX-512 by its double',
    builds: true,
    run: () => doubledTests(root),
  },
  fuzz: { label: 'fuzz targets', builds: true, run: () => fuzzSmoke(root) },
};

/** The names of suites in their order; undefined, with a message printed, for a name that is none. */
function chosen(asked) {
  const all = Object.keys(SUITES);
  const unknown = asked.filter((name) => name !== 'ci' && !all.includes(name));
  if (unknown.length > 0) {
    console.error(`expected suites among ${['ci', ...all].join(', ')}, received ${unknown.join(', ')}`);
    return undefined;
  }
  const inCi = (name) => asked.includes('ci') && SUITES[name].late === undefined;
  return all.filter((name) => asked.length === 0 || asked.includes(name) || inCi(name));
}

/** One suite after another. */
async function inTurn(names, outcomes) {
  for (const name of names) {
    const { label, run } = SUITES[name];
    console.log(`\n${label}`);
    const started = Date.now();
    outcomes.set(name, await run());
    console.log(`${label}: took ${seconds(Date.now() - started)}`);
  }
}

async function main() {
  const names = chosen(process.argv.slice(2));
  if (names === undefined) return 2;
  try {
    await setup();
  } catch (error) {
    return reportFailure(error);
  }
  const tally = new Tally();
  const outcomes = new Map();
  await Promise.all([
    inTurn(
      names.filter((name) => SUITES[name].builds),
      outcomes,
    ),
    inTurn(
      names.filter((name) => !SUITES[name].builds),
      outcomes,
    ),
  ]);
  for (const name of names) tally.add(SUITES[name].label, outcomes.get(name));
  const left = Object.keys(SUITES).filter((name) => !names.includes(name));
  if (left.length > 0) console.log('');
  for (const name of left) {
    const { label, late } = SUITES[name];
    const why = late === undefined ? '' : ` (${late})`;
    console.log(`left out: ${label}${why}: npm run test:full -- ${name}`);
  }
  return tally.close();
}

process.exitCode = await main();
