/** Trained networks that we did not train, from package registries, and inputs of their kind. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { importModel } from '../../dist/import/index.js';
import { relu } from '../../dist/network/activations.js';
import { random } from '../digits/data.mjs';

/** Files of a Python wheel, kept in `folder`. */
function wheel(folder, requirement, pattern) {
  const name = requirement.split('==')[0];
  const into = join(folder, name);
  if (!existsSync(into)) {
    const pip = [
      '-m',
      'pip',
      'download',
      '-q',
      '--no-deps',
      '--only-binary=:all:',
      '-d',
      folder,
      requirement,
    ];
    execFileSync('python3', pip, { stdio: ['ignore', 'inherit', 'inherit'] });
    const file = readdirSync(folder).find((f) => f.startsWith(name.replace('-', '_')) && f.endsWith('.whl'));
    const unzip = `
import sys, zipfile, re
with zipfile.ZipFile(sys.argv[1]) as z:
    z.extractall(sys.argv[2], [n for n in z.namelist() if re.search(sys.argv[3], n)])`;
    execFileSync('python3', ['-c', unzip, join(folder, file), into, pattern]);
  }
  return into;
}

/** MobileNetV2 of npm nsfwjs 4.4.0: 224 x 224 x 3 in [0, 1] to 5 classes. The Network. */
export async function mobileNet(folder) {
  const into = join(folder, 'nsfwjs');
  if (!existsSync(into)) {
    mkdirSync(into, { recursive: true });
    execFileSync('npm', ['pack', 'nsfwjs@4.4.0', '--silent', '--pack-destination', into]);
    const models = 'package/dist/models/mobilenet_v2';
    execFileSync('tar', ['xzf', join(into, 'nsfwjs-4.4.0.tgz'), '-C', into, '--strip-components=4', models]);
    // Its files are scripts of CommonJS, also below a package of modules.
    writeFileSync(join(into, 'package.json'), '{"type":"commonjs"}');
    const require = createRequire(join(into, 'x.cjs'));
    const model = require(join(into, 'model.min.js'));
    writeFileSync(join(into, 'model.json'), JSON.stringify(model));
    const shards = readdirSync(into).filter((f) => f.startsWith('group1') && f.endsWith('.min.js'));
    for (const shard of shards) {
      const bytes = Buffer.from(require(join(into, shard)), 'base64');
      writeFileSync(join(into, shard.replace('.min.js', '')), bytes);
    }
  }
  return importModel(join(into, 'model.json'));
}

/** Crops of the two photographs of scikit-learn, scaled to 224 x 224, mirrored half of the time. */
export function photoCrops(tf, folder, count, seed) {
  const images = wheel(folder, 'scikit-learn==1.5.2', '\\.jpg$');
  const photos = ['china', 'flower'].map((name) =>
    tf.node.decodeJpeg(readFileSync(join(images, 'sklearn/datasets/images', `${name}.jpg`)), 3),
  );
  const next = random(seed);
  return tf.tidy(() =>
    tf.stack(
      Array.from({ length: count }, (_, i) => {
        const photo = photos[i % 2];
        const [height, width] = photo.shape;
        const size = Math.floor(120 + next() * (height - 120));
        const [y, x] = [Math.floor(next() * (height - size)), Math.floor(next() * (width - size))];
        const crop = photo.slice([y, x, 0], [size, size, 3]).toFloat().div(255);
        const scaled = tf.image.resizeBilinear(crop, [224, 224]);
        return next() < 0.5 ? scaled.reverse(1) : scaled;
      }),
    ),
  );
}

/** `lambda x: relu(x, alpha=0.1, max_value=20.0)`, which deeplc gives to Keras when it loads. */
const LAMBDA = relu(0.1, 20);

/** A network of PyPI deeplc 2.2.38: a peptide to its retention time. */
export async function deeplc(folder) {
  const into = join(wheel(folder, 'deeplc==2.2.38', 'hdf5$|feat_extractor'), 'deeplc/mods');
  const file = readdirSync(into).find((name) => name.startsWith('full_hc') && name.includes('8c22d89'));
  const bytes = readFileSync(join(into, file));
  // The file names its activation "<lambda>", which says nothing: as long a word stands in for it.
  const named = new Set();
  const text = bytes.toString('latin1');
  for (const [, name] of text.matchAll(/"name": "([^"]+)"(?:(?!"name": ).)*?"activation": "<lambda>"/g)) {
    named.add(name);
  }
  for (let at = text.indexOf('"<lambda>"'); at >= 0; at = text.indexOf('"<lambda>"', at + 1)) {
    bytes.write('"linear"  ', at, 'latin1');
  }
  const network = await importModel(bytes);
  const layers = network.layers.map((layer) =>
    named.has(layer.name) ? { ...layer, settings: { ...layer.settings, activation: LAMBDA } } : layer,
  );
  return { ...network, layers };
}

/** Atoms C, H, N, O, S, P of each amino acid in a peptide, and their columns in deeplc's one-hot input. */
const RESIDUES = {
  ...{ K: [6, 12, 2, 1, 0, 0], R: [6, 12, 4, 1, 0, 0], P: [5, 7, 1, 1, 0, 0], T: [4, 7, 1, 2, 0, 0] },
  ...{ N: [4, 6, 2, 2, 0, 0], A: [3, 5, 1, 1, 0, 0], Q: [5, 8, 2, 2, 0, 0], V: [5, 9, 1, 1, 0, 0] },
  ...{ S: [3, 5, 1, 2, 0, 0], G: [2, 3, 1, 1, 0, 0], I: [6, 11, 1, 1, 0, 0], L: [6, 11, 1, 1, 0, 0] },
  ...{ C: [3, 5, 1, 1, 1, 0], M: [5, 9, 1, 1, 1, 0], H: [6, 7, 3, 1, 0, 0], F: [9, 9, 1, 1, 0, 0] },
  ...{ Y: [9, 9, 1, 2, 0, 0], W: [11, 10, 2, 1, 0, 0], E: [5, 7, 1, 3, 0, 0], D: [4, 5, 1, 3, 0, 0] },
};
const LETTERS = Object.keys(RESIDUES);

/** Random tryptic peptides as deeplc encodes them: by position, by pairs, in all, one-hot. In the network's order. */
export function peptides(network, count, seed) {
  const next = random(seed);
  const [length, atoms] = [60, 6];
  const parts = { 6: new Float32Array(count * length * atoms), pairs: new Float32Array(count * 30 * atoms) };
  const all = new Float32Array(count * 55);
  const hot = new Float32Array(count * length * 20);
  for (let sample = 0; sample < count; sample++) {
    const size = 7 + Math.floor(next() * 19);
    const last = next() < 0.5 ? 'K' : 'R';
    const letters = Array.from({ length: size }, (_, i) =>
      i === size - 1 ? last : LETTERS[2 + Math.floor(next() * 18)],
    );
    letters.forEach((letter, i) => {
      hot[(sample * length + i) * 20 + LETTERS.indexOf(letter)] = 1;
      RESIDUES[letter].forEach((number, atom) => {
        parts[6][(sample * length + i) * atoms + atom] = number;
        parts.pairs[(sample * 30 + (i >> 1)) * atoms + atom] += number;
        all[sample * 55 + atom] += number;
        // The four residues at each end have places of their own.
        if (i < 4) all[sample * 55 + 7 + i * atoms + atom] = number;
        if (size - i <= 4) all[sample * 55 + 7 + (8 - (size - i)) * atoms + atom] = number;
      });
    });
    all[sample * 55 + 6] = size;
  }
  const byShape = {
    '60,6': parts[6],
    '30,6': parts.pairs,
    55: all,
    '60,20': hot,
  };
  return network.inputs.map(({ value }) => {
    const shape = network.values[value].shape.slice(1);
    return { shape: [count, ...shape], data: byShape[String(shape)] };
  });
}
