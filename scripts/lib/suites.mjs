/** The suites of `npm test` and `npm run test:full`: each runs something and answers what to count. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { availableParallelism } from 'node:os';
import { provideFlights } from './flights.mjs';
import { installPythonHelpers, pythonHelpersFolder } from './python.mjs';
import { nodeHeaders } from '../../install/addon.mjs';
import { run, seconds } from '../../install/run.mjs';
import { filesUnder } from './stamp.mjs';
import { pythonCommand, remedy, which } from '../../install/tools.mjs';

/** Runs one command as one test: its output is shown only where it fails. */
async function check(root, name, command, args, env) {
  const started = Date.now();
  const { code, output } = await run(command, args, { cwd: root, env, quiet: true, allowFailure: true });
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds(Date.now() - started)})`);
  if (code !== 0) console.log(output.trimEnd());
  return code === 0 ? { passed: 1 } : { failures: [name] };
}

function merge(results) {
  return {
    passed: results.reduce((sum, { passed = 0 }) => sum + passed, 0),
    failures: results.flatMap(({ failures = [] }) => failures),
    skips: results.flatMap(({ skips = [] }) => skips),
  };
}

/** ESLint, prettier, the import and include rules, unused exports, clang-format and the type checker. */
export async function checks(root) {
  const node = (name, script, ...args) =>
    check(root, name, process.execPath, [join('node_modules', script), ...args]);
  const native = filesUnder(root, ['native'], (path) => /\.(cc|h|inl)$/.test(path));
  const formatter = join(pythonHelpersFolder(root), 'bin/clang-format');
  return merge([
    await node('types (tsc)', 'typescript/bin/tsc', '-p', 'tsconfig.json', '--noEmit'),
    await node('lint (eslint)', 'eslint/bin/eslint.js', '.'),
    await node('format (prettier)', 'prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'),
    await node(
      'import rules (dependency-cruiser)',
      'dependency-cruiser/bin/dependency-cruise.mjs',
      ...['--config', '.dependency-cruiser.cjs', 'src'],
    ),
    // The build's settings: by them knip knows dist/, which scripts import, as src/.
    await node(
      'unused exports (knip)',
      ...['knip/bin/knip.js', '--no-progress', '--tsConfig', 'tsconfig.build.json'],
    ),
    await check(root, 'include rules of C++', process.execPath, ['scripts/lib/includes.mjs']),
    await check(
      root,
      'format of C++ (clang-format)',
      pythonCommand(),
      [formatter, '--dry-run', '--Werror', ...native],
      {
        PYTHONPATH: pythonHelpersFolder(root),
      },
    ),
  ]);
}

/** vitest, counted from its JSON report. */
export async function vitest(root, { args = [], report = 'build/vitest.json', env } = {}) {
  rmSync(join(root, report), { force: true });
  const { code } = await run(
    process.execPath,
    [
      ...['node_modules/vitest/vitest.mjs', 'run', ...args],
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    ],
    { cwd: root, env, show: true, allowFailure: true },
  );
  if (!existsSync(join(root, report))) return { failures: [`vitest ended with ${code} and left no report`] };
  const outcome = countVitest(root, JSON.parse(readFileSync(join(root, report), 'utf8')));
  if (code !== 0 && outcome.failures.length === 0) outcome.failures.push(`vitest ended with ${code}`);
  return outcome;
}

/** A slow test file with the Python packages that it alone needs: they are installed for it, else it is one skip. */
async function pythonTests(root, name, { cannot, variable, env }) {
  let folder;
  try {
    ({ folder } = await installPythonHelpers(root, { file: `${name}.txt` }));
  } catch (error) {
    return { skips: [`${cannot} cannot be installed (${error.message.split('\n')[0]})`] };
  }
  return vitest(root, {
    args: [`${name}.full.test.ts`],
    report: `build/vitest-${name}.json`,
    env: { ...env, ESPALIER_FULL: '1', [variable]: folder },
  });
}

/** Keras 2 and 3 load what is exported. They are 1.5 GB once unpacked. */
export const kerasTests = (root) =>
  pythonTests(root, 'keras', { cannot: 'Keras: it', variable: 'ESPALIER_KERAS_PYTHONPATH' });

/** Clients that others wrote ask a running server: tritonclient, the KServe client, schemathesis, curl, grpcurl. */
export const clientTests = (root) =>
  pythonTests(root, 'clients', { cannot: 'clients: they', variable: 'ESPALIER_CLIENTS_PYTHONPATH' });

/** deploy/spark on a local Spark with the flights data, and the Dockerfile under hadolint. */
export async function deployTests(root) {
  const flights = await provideFlights().catch(() => undefined);
  return pythonTests(root, 'deploy', {
    cannot: 'deploy: Spark and hadolint',
    variable: 'ESPALIER_DEPLOY_PYTHONPATH',
    env: flights === undefined ? {} : { ESPALIER_FLIGHTS: flights },
  });
}

/** A file that fails to load has no tests of its own: it counts as one failure. */
export function countVitest(root, report) {
  const outcome = { passed: 0, failures: [], skips: [] };
  for (const file of report.testResults) {
    const name = relative(root, file.name);
    for (const { status, fullName } of file.assertionResults) {
      if (status === 'passed') outcome.passed += 1;
      else if (status === 'failed') outcome.failures.push(`${name}: ${fullName}`);
      else outcome.skips.push(`${name}: ${fullName}`);
    }
    const loaded = file.assertionResults.some(({ status }) => status === 'failed');
    if (file.status === 'failed' && !loaded)
      outcome.failures.push(`${name}: ${(file.message ?? '').split('\n')[0]}`);
  }
  return outcome;
}

/**
 * GoogleTest by CMake and CTest, in as many parts as there are cores, counted from each part's own report. Without
 * GoogleTest on the machine the suite is one skip that says how to get it. The tests of this machine are built where the
 * addon was, and link what it is made of; others have a folder of their own. filter: only the tests of such names, as
 * googleTestFilter takes it; one that names none is a failure.
 */
export async function nativeTests(root, { folder, label = 'native tests', args = [], env, filter } = {}) {
  const shared = folder === undefined;
  folder ??= 'build/cmake';
  const build = join(root, folder);
  const log = join(root, `${folder}.log`);
  const started = Date.now();
  rmSync(log, { force: true });
  const options = { log, quiet: true, allowFailure: true };
  const jobs = String(Math.min(availableParallelism(), 4));
  const configured = await run(
    'cmake',
    [
      ...(shared ? [] : generator(build)),
      ...['-S', root, '-B', build, '-DESPALIER_TESTS=ON', `-DESPALIER_ADDON=${shared ? 'ON' : 'OFF'}`],
      `-DESPALIER_TEST_SHARDS=${jobs}`,
      ...[`-DESPALIER_NODE_HEADERS=${nodeHeaders(root)}`, ...compilerLauncher(), ...args],
    ],
    options,
  );
  if (configured.code !== 0) {
    if (/GTest/.test(configured.output)) {
      return { skips: [`${label}: GoogleTest is not installed. Install it with: ${remedy('gtest')}`] };
    }
    console.log(configured.output);
    return { failures: [`${label}: cmake failed`] };
  }
  const target = ['--target', 'espalier_test'];
  const built = await run('cmake', ['--build', build, ...target, '--parallel', jobs], options);
  if (built.code !== 0) {
    console.log(built.output.split('\n').slice(-60).join('\n'));
    return { failures: [`${label}: the build failed`] };
  }
  console.log(`built  ${label} (${seconds(Date.now() - started)})`);
  const reports = join(build, 'reports');
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  const ran = await run(
    'ctest',
    ['--test-dir', build, '--parallel', jobs, '--output-on-failure', '--no-tests=error'],
    { ...options, env: filter === undefined ? env : { ...env, GTEST_FILTER: googleTestFilter(filter) } },
  );
  const parts = readdirSync(reports).map((name) => JSON.parse(readFileSync(join(reports, name), 'utf8')));
  const outcome = countGoogleTest(parts);
  if (ran.code !== 0) {
    console.log(ran.output.split('\n').slice(-80).join('\n'));
    if (outcome.failures.length === 0) outcome.failures.push(`${label}: ctest ended with ${ran.code}`);
  }
  if (filter !== undefined && outcome.passed + outcome.failures.length + outcome.skips.length === 0) {
    outcome.failures.push(`${label}: no test has a name like ${filter}`);
  }
  const on = instructionSets(parts);
  if (filter === undefined && on === undefined) {
    outcome.failures.push(`${label}: no test told what instruction sets they ran on`);
  }
  const mark = outcome.failures.length === 0 ? 'ok    ' : 'FAILED';
  console.log(`${mark} ${label}${on === undefined ? '' : ` on ${on}`} (${seconds(Date.now() - started)})`);
  return outcome;
}

/** Ninja, where it is there, compiles a test while the library's last file is under way. A folder keeps what it has. */
function generator(build) {
  const configured = existsSync(join(build, 'CMakeCache.txt'));
  return configured || which('ninja') === undefined ? [] : ['-G', 'Ninja'];
}

/** Compiled again only where it has to be, where ccache is there. An environment that names a launcher has its way. */
function compilerLauncher() {
  const named = process.env.CMAKE_CXX_COMPILER_LAUNCHER !== undefined;
  return named || which('ccache') === undefined ? [] : ['-DCMAKE_CXX_COMPILER_LAUNCHER=ccache'];
}

/**
 * A filter as GoogleTest takes it ("A*:B.c-*Slow*"), by which a name also finds a suite that runs for many values, whose
 * tests are called "Instantiation/Suite.test/value".
 */
export function googleTestFilter(filter) {
  const [wanted, ...refused] = filter.split('-');
  const patterns = wanted
    .split(':')
    .flatMap((pattern) =>
      /[/]|^\*/.test(pattern) || pattern === '' ? [pattern] : [pattern, `*/${pattern}`],
    );
  return [patterns.join(':'), ...refused].join('-');
}

/** What a test of native/test/cpu_features_test.cc writes into the report. */
function instructionSets(parts) {
  const tests = parts.flatMap(({ testsuites }) => testsuites.flatMap(({ testsuite }) => testsuite));
  return tests.find(({ instruction_sets: told }) => told !== undefined)?.instruction_sets;
}

/**
 * The native tests over the AVX-512 kernels on any x64 machine, by a double of the intrinsics
 * (native/test/avx512_double.h). Where the machine has AVX-512, the other native tests run the kernels themselves.
 */
export async function doubledTests(root) {
  const label = 'native tests (AVX-512 by its double)';
  if (process.arch !== 'x64') return { skips: [`${label}: this is no x64 machine`] };
  return nativeTests(root, { label, folder: 'build/avx512', args: ['-DESPALIER_EMULATE_AVX512=ON'] });
}

/** The NEON kernels on an x64 machine: the native tests built for arm64 and run under QEMU. */
export async function crossTests(root) {
  const label = 'native tests (arm64 under QEMU)';
  if (process.arch === 'arm64') return nativeTests(root, { label: 'native tests (arm64)' });
  const sources = '/usr/src/googletest';
  const needed = { 'g++-aarch64-linux-gnu': 'aarch64-linux-gnu-g++', 'qemu-user': 'qemu-aarch64' };
  const missing = Object.keys(needed).filter((name) => which(needed[name]) === undefined);
  if (!existsSync(sources)) missing.push('libgtest-dev');
  if (missing.length > 0) return { skips: [`${label}: install ${missing.join(', ')}`] };
  const cross = [
    ...['-DCMAKE_SYSTEM_NAME=Linux', '-DCMAKE_SYSTEM_PROCESSOR=aarch64', '-DCMAKE_BUILD_TYPE=Release'],
    ...['-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++', '-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc'],
    '-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64;-L;/usr/aarch64-linux-gnu',
  ];
  // Debian's library is for this machine; its sources are beside it.
  const gtest = join(root, 'build/gtest-arm64');
  const options = { log: join(root, 'build/gtest-arm64.log'), quiet: true };
  await run(
    'cmake',
    ['-S', sources, '-B', gtest, `-DCMAKE_INSTALL_PREFIX=${gtest}/installed`, '-DBUILD_GMOCK=OFF', ...cross],
    options,
  );
  await run('cmake', ['--build', gtest, '--target', 'install', '--parallel', '2'], options);
  const args = [...cross, `-DCMAKE_PREFIX_PATH=${gtest}/installed`, `-DGTest_ROOT=${gtest}/installed`];
  return nativeTests(root, { label, folder: 'build/arm64', args });
}

/**
 * Builds the libFuzzer targets with clang and runs each for some seconds. A target is one program build/fuzz/fuzz_*.
 * Without clang this is one skip.
 */
export async function fuzzSmoke(root, { time = 20 } = {}) {
  const clang = which('clang++', 'clang++-14');
  if (clang === undefined)
    return { skips: [`fuzz targets: clang is not installed. Install it with: ${remedy('clang++')}`] };
  const build = join(root, 'build/fuzz');
  const log = join(root, 'build/fuzz.log');
  rmSync(log, { force: true });
  const options = { log, quiet: true, allowFailure: true };
  const configured = await run(
    'cmake',
    [
      ...[...generator(build), '-S', root, '-B', build, `-DCMAKE_CXX_COMPILER=${clang}`],
      ...['-DESPALIER_FUZZ=ON', '-DESPALIER_ADDON=OFF', `-DESPALIER_NODE_HEADERS=${nodeHeaders(root)}`],
    ],
    options,
  );
  const built =
    configured.code === 0
      ? await run(
          'cmake',
          ['--build', build, '--parallel', String(Math.min(availableParallelism(), 4))],
          options,
        )
      : configured;
  if (built.code !== 0) {
    console.log(built.output.split('\n').slice(-60).join('\n'));
    return { failures: ['fuzz targets: the build failed'] };
  }
  const targets = filesUnder(build, ['.'], (path) => /(^|\/)fuzz_[a-z0-9_]+$/.test(path));
  if (targets.length === 0) return { failures: ['fuzz targets: none was built'] };
  const args = [`-max_total_time=${time}`, '-rss_limit_mb=2048', '-max_len=600', '-len_control=0'];
  const env = { UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' };
  return merge(
    await Promise.all(
      targets.map((target) => check(build, `${target}, ${time} s`, join(build, target), args, env)),
    ),
  );
}

export function countGoogleTest(reports) {
  const outcome = { passed: 0, failures: [], skips: [] };
  for (const { testsuites } of reports) {
    for (const suite of testsuites) {
      for (const test of suite.testsuite) {
        const name = `${suite.name}.${test.name}`;
        if (test.failures !== undefined) outcome.failures.push(name);
        else if (test.result === 'SKIPPED' || test.status === 'NOTRUN') outcome.skips.push(name);
        else outcome.passed += 1;
      }
    }
  }
  return outcome;
}
