/** The per-user folder of everything fetched: ESPALIER_CACHE, else XDG_CACHE_HOME/espalier, else ~/.cache/espalier. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

export function cacheFolder() {
  const { ESPALIER_CACHE: own, XDG_CACHE_HOME: shared } = process.env;
  if (own !== undefined && own !== '') return resolve(own);
  return join(
    shared !== undefined && shared !== '' ? resolve(shared) : join(homedir(), '.cache'),
    'espalier',
  );
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/**
 * A new name beside `path`, to be renamed to it when whole; makes the folder. What interrupted processes left there
 * under such names is removed.
 */
export function temporaryBeside(path) {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    const pid = /\.(\d+)\.tmp$/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid)))
      rmSync(join(folder, name), { recursive: true, force: true });
  }
  return `${path}.${process.pid}.tmp`;
}
