#!/usr/bin/env node
/** Writes the table of operations in docs/format.md from the registry. After `npm run build:ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OPERATIONS } from '../dist/program/operations/registry.js';
import { withOperations } from './lib/operations.mjs';

const path = join(import.meta.dirname, '../docs/format.md');
writeFileSync(path, withOperations(readFileSync(path, 'utf8'), OPERATIONS));
console.log(path);
