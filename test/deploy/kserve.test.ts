/**
 * The manifests of deploy/kserve against the schemas of KServe's resources, and the container's command as they and the
 * Dockerfile say it: in a folder at /mnt/models on a read-only root, as nobody, where this machine lets a process have
 * that; elsewhere the folder lies in a temporary place.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Fastify from 'fastify';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { convertModel } from '../../src/index.js';

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const MAIN = file('dist/cli/main.js');
const read = async (path: string) => parse(await readFile(file(path), 'utf8')) as Record<string, unknown>;

interface Probe {
  httpGet: { path: string; port: number };
}
interface Container {
  args: string[];
  command?: string[];
  ports: { name: string; containerPort: number }[];
  startupProbe: Probe;
  readinessProbe: Probe;
  livenessProbe: Probe;
  securityContext: { runAsUser: number; runAsNonRoot: boolean; readOnlyRootFilesystem: boolean };
}
let container: Container;
let runtime: { metadata: { name: string }; spec: { supportedModelFormats: { name: string }[] } };

beforeAll(async () => {
  runtime = (await read('deploy/kserve/runtime.yaml')) as unknown as typeof runtime;
  [container] = (runtime.spec as unknown as { containers: [Container] }).containers;
});

interface Crd {
  group: string;
  version: string;
  schema: Record<string, unknown>;
}

/** What the resource's own schema says to a manifest; undefined: nothing is wrong. */
async function complaint(manifest: Record<string, unknown>): Promise<string | undefined> {
  const { kinds } = JSON.parse(await readFile(file('test/golden/kserve/crds.json'), 'utf8')) as {
    kinds: Record<string, Crd>;
  };
  const crd = kinds[String(manifest.kind)];
  if (crd === undefined || manifest.apiVersion !== `${crd.group}/${crd.version}`) return 'no such resource';
  const app = Fastify({
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, strict: false, allErrors: false } },
  });
  app.post('/', { schema: { body: crd.schema } }, async () => 'ok');
  const answer = await app.inject({ method: 'POST', url: '/', payload: manifest });
  await app.close();
  return answer.statusCode === 200 ? undefined : answer.json<{ message: string }>().message;
}

describe('deploy/kserve', () => {
  test.each(['deploy/kserve/runtime.yaml', 'deploy/kserve/inferenceservice.yaml'])(
    '%s is what the resource asks for',
    async (path) => {
      expect(await complaint(await read(path))).toBeUndefined();
      // The check itself: a field that is not known, a type that is wrong, one that is missing.
      const unknown = await read(path);
      (unknown.spec as Record<string, unknown>).noSuchField = 3;
      expect(await complaint(unknown)).toMatch(/must NOT have additional properties/);
    },
  );

  test('the schemas refuse what is wrong deep inside', async () => {
    const wrong = await read('deploy/kserve/runtime.yaml');
    const [own] = (wrong.spec as { containers: Record<string, unknown>[] }).containers;
    own!.ports = [{ containerPort: '8080' }];
    expect(await complaint(wrong)).toMatch(/containerPort must be integer/);
    const service = await read('deploy/kserve/inferenceservice.yaml');
    (service.spec as { predictor: Record<string, unknown> }).predictor.scaleMetric = 'temperature';
    expect(await complaint(service)).toMatch(/scaleMetric must be equal to one of/);
  });

  test('service, runtime and image fit together', async () => {
    const service = (await read('deploy/kserve/inferenceservice.yaml')) as unknown as {
      spec: { predictor: { model: { runtime: string; modelFormat: { name: string } } } };
    };
    const { model } = service.spec.predictor;
    expect(model.runtime).toBe(runtime.metadata.name);
    expect(runtime.spec.supportedModelFormats.map(({ name }) => name)).toContain(model.modelFormat.name);
    const dockerfile = await readFile(file('Dockerfile'), 'utf8');
    const stages = dockerfile.split(/^FROM .*$/m).slice(1);
    expect(stages).toHaveLength(2);
    const last = stages.at(-1)!;
    // Only what was built goes over; compilers stay behind.
    expect(last).not.toMatch(/^RUN|apt-get/m);
    expect(/^USER (\d+)/m.exec(last)?.[1]).toBe(String(container.securityContext.runAsUser));
    expect(container.securityContext).toMatchObject({ runAsNonRoot: true, readOnlyRootFilesystem: true });
    for (const { containerPort } of container.ports) {
      expect(/^EXPOSE (.*)$/m.exec(last)![1]!.split(' ')).toContain(String(containerPort));
    }
  });
});

/** mount and user namespaces, as far as they go here. */
const sandbox = [
  `set -e; mount -t tmpfs none /mnt; mkdir /mnt/models; mount --bind "$0" /mnt/models`,
  `mount -o remount,bind,ro /mnt/models; mount -o remount,bind,ro /`,
].join('; ');
const drop = (uid: number) =>
  `setpriv --reuid=${uid} --regid=${uid} --clear-groups --no-new-privs --bounding-set=-all`;
const works = (line: string) =>
  process.platform === 'linux' &&
  spawnSync('unshare', ['--mount', 'sh', '-c', line, tmpdir()], { stdio: 'ignore' }).status === 0;

/** The image's entry point and the manifest's arguments; only ports, and what KServe fills in, are others. */
async function start(layout: string) {
  const root = await mkdtemp(join(tmpdir(), 'espalier-mnt-models-'));
  await mkdir(join(root, layout, '..'), { recursive: true });
  await convertModel(file('test/golden/models/mlp_regression/model.json'), join(root, layout));
  await chmod(root, 0o755);
  const dockerfile = await readFile(file('Dockerfile'), 'utf8');
  const entry = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)![1]!) as string[];
  expect(container.command).toBeUndefined();
  expect(entry).toEqual(['node', '/app/node_modules/espalier/dist/cli/main.js']);
  const args = container.args.map((word) =>
    word.replace(/^(--(?:http|grpc)-port)=\d+$/, '$1=0').replace('{{.Name}}', 'flights'),
  );
  expect(args).toContain('/mnt/models');
  const uid = container.securityContext.runAsUser;
  const isolated = works(sandbox);
  // Nobody may not be let into the folder that this clone lies in.
  const nobody = isolated && works(`${sandbox}; exec ${drop(uid)} ${process.execPath} ${MAIN} --version`);
  const child = isolated
    ? spawn(
        'unshare',
        [
          ...['--mount', 'sh', '-c', `${sandbox}; exec ${nobody ? drop(uid) : ''} "$@"`, root],
          ...[process.execPath, MAIN, ...args],
        ],
        { stdio: ['ignore', 'pipe', 'pipe'] },
      )
    : spawn(process.execPath, [MAIN, ...args.map((word) => (word === '/mnt/models' ? root : word))], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await rm(root, { recursive: true, force: true });
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const port = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = /serving on http:\/\/[^ ]*:(\d+)/.exec(text);
      if (found !== null) resolve(found[1]!);
    });
    child.on('exit', (code) => reject(new Error(`it ended with ${code}: ${errors}`)));
  });
  return { child, url: `http://127.0.0.1:${port}`, isolated, nobody };
}

describe("the container's command", () => {
  test.each(['model.esp', 'flights/3/model.esp'])(
    'serves /mnt/models/%s, answers the probes, and ends on SIGTERM',
    async (layout) => {
      const { child, url, isolated, nobody } = await start(layout);
      if (nobody) {
        const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
        expect(/^Uid:\s+(\d+)/m.exec(status)![1]).toBe(String(container.securityContext.runAsUser));
        expect(/^CapEff:\s+(\w+)/m.exec(status)![1]).toMatch(/^0+$/);
      }
      if (isolated) {
        expect(await readFile(`/proc/${child.pid}/mounts`, 'utf8')).toMatch(/^\S+ \/ \S+ ro[, ]/m);
      }
      for (const probe of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
        expect(container.ports.map(({ containerPort }) => containerPort)).toContain(probe.httpGet.port);
        expect((await fetch(url + probe.httpGet.path)).status).toBe(200);
      }
      const metadata = (await (await fetch(`${url}/v2/models/flights`)).json()) as {
        inputs: { name: string; shape: number[] }[];
      };
      const [input] = metadata.inputs;
      const answer = await fetch(`${url}/v2/models/flights/infer`, {
        method: 'POST',
        body: JSON.stringify({
          inputs: [
            {
              ...{ name: input!.name, datatype: 'FP32', shape: [1, input!.shape[1]] },
              data: new Array<number>(input!.shape[1]!).fill(0.5),
            },
          ],
        }),
      });
      expect(answer.status).toBe(200);
      // Clients may not change what is served.
      expect((await fetch(`${url}/v2/repository/models/flights/unload`, { method: 'POST' })).status).not.toBe(
        200,
      );
      const scraped = (runtime.spec as unknown as { annotations: Record<string, string> }).annotations[
        'prometheus.kserve.io/path'
      ]!;
      expect(await (await fetch(url + scraped)).text()).toMatch(/^espalier_requests_total\{/m);
      child.kill('SIGTERM');
      const ready = await fetch(url + container.readinessProbe.httpGet.path);
      expect([200, 503]).toContain(ready.status);
      expect(await once(child, 'exit')).toEqual([0, null]);
    },
    40_000,
  );
});
