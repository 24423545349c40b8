import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('the Python packages that other tests use are there', () => {
  const program = `
import numpy, safetensors.numpy, scipy.sparse
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
print(scipy.sparse.csr_matrix(numpy.eye(2)).nnz, EventAccumulator.__name__)`;
  const { stdout, stderr } = spawnSync(process.env.ESPALIER_PYTHON ?? '', ['-c', program], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: process.env.ESPALIER_PYTHONPATH },
  });
  expect(stderr).not.toMatch(/Error/);
  expect(stdout.trim()).toBe('2 EventAccumulator');
});
