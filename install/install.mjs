#!/usr/bin/env node
/**
 * The install script of the package: keeps the prebuilt addon if it loads here, else builds it from source with CMake
 * or node-gyp, and where a tool is missing names it with the command that installs it.
 *
 * npm runs it on `npm install espalier`; where install scripts are off: npm rebuild --ignore-scripts=false espalier
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ADDON, addonLoads, buildWithCMake, buildWithNodeGyp, nodeGyp, prebuiltPath } from './addon.mjs';
import { CommandFailed } from './run.mjs';
import { checkTools, describeMissing } from './tools.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function fail(message) {
  console.error(`\nespalier: the native engine could not be built.\n${message}`);
  process.exit(1);
}

async function main() {
  if (existsSync(join(root, 'tsconfig.build.json'))) {
    console.log('espalier: this is a clone; `npm run build` builds it');
    return;
  }
  const fromSource = [
    process.env.ESPALIER_BUILD_FROM_SOURCE,
    process.env.npm_config_build_from_source,
  ].includes('true');
  const prebuilt = addonLoads(join(root, prebuiltPath()));
  if (prebuilt.ok && !fromSource) return;
  if (!fromSource)
    console.log(`espalier: no prebuilt engine for this machine (${prebuilt.problem}); building it`);

  const [compiler, make, cmake, python] = checkTools(['c++', 'make', 'cmake', 'python3']);
  const withCMake = cmake.ok;
  const gyp = nodeGyp(root);
  if (!compiler.ok || !make.ok) fail(describeMissing([compiler, make]).join('\n'));
  if (!withCMake && (gyp === undefined || !python.ok)) {
    fail(
      [...describeMissing([cmake]), ...describeMissing([python])].join(
        '\nor, to build with node-gyp instead: ',
      ),
    );
  }
  const log = join(root, 'build/install.log');
  try {
    if (withCMake) await buildWithCMake(root, { log });
    else await buildWithNodeGyp(root, { log, gyp });
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    fail(`${error.tail}\n${error.message}`);
  }
  const built = addonLoads(join(root, ADDON));
  if (!built.ok) fail(`It was built but does not load: ${built.problem}`);
  console.log(`espalier: built the native engine with ${withCMake ? 'CMake' : 'node-gyp'}`);
}

await main();
