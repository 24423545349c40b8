/** The per-user folder of everything fetched: ESPALIER_CACHE, else XDG_CACHE_HOME/espalier, else ~/.cache/espalier. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export function cacheFolder() {
  const { ESPALIER_CACHE: own, XDG_CACHE_HOME: shared } = process.env;
  if (own !== undefined && own !== '') return resolve(own);
  return join(
    shared !== undefined && shared !== '' ? resolve(shared) : join(homedir(), '.cache'),
    'espalier',
  );
}
