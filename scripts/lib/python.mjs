/**
 * The Python packages that tests use (tensorboard's reader, safetensors, numpy, scipy) and clang-format: pinned with
 * hashes, installed once a machine into the user's cache, found by tests through ESPALIER_PYTHONPATH.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { cacheFolder, temporaryBeside } from '../../install/cache.mjs';
import { run } from '../../install/run.mjs';
import { pythonCommand } from '../../install/tools.mjs';

/** The folder for these requirements and this Python: another Python or pin gets another one. */
export function pythonHelpersFolder(root, file = 'requirements.txt') {
  const requirements = readFileSync(join(root, 'scripts/python', file));
  const python = spawnSync(
    pythonCommand(),
    ['-c', 'import sys, platform; print(sys.implementation.cache_tag, platform.machine())'],
    {
      encoding: 'utf8',
    },
  ).stdout.trim();
  const key = createHash('sha256').update(requirements).update(python).digest('hex').slice(0, 16);
  return join(cacheFolder(), 'python', key);
}

/** Installs what is missing. Answers { folder, installed }. */
export async function installPythonHelpers(root, { log, file = 'requirements.txt' } = {}) {
  const folder = pythonHelpersFolder(root, file);
  if (existsSync(join(folder, '.complete'))) return { folder, installed: false };
  const temporary = temporaryBeside(folder);
  try {
    await run(
      pythonCommand(),
      [
        ...'-m pip --disable-pip-version-check --no-input install --quiet --progress-bar off --no-deps'.split(
          ' ',
        ),
        ...'--require-hashes --only-binary :all: --no-warn-script-location'.split(' '),
        ...['--target', temporary, '--requirement', join(root, 'scripts/python', file)],
      ],
      { log, label: `pip install (${file})` },
    );
    writeFileSync(join(temporary, '.complete'), '');
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return { folder, installed: true };
}
