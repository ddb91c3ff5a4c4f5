import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compilers } from './compilers.ts';

/** Of %GetOptimizationStatus: optimised, and baseline code (V8, src/runtime/runtime.h, OptimizationStatus). */
const compiledBits = (1 << 3) | (1 << 14);
const script = readFileSync(join(import.meta.dirname, '../../vm-image/guest/agent'), 'utf8');

test("what the guest's script leaves off is what comes back", () => {
  const left = [...script.matchAll(/--no-([a-z-]+)/g)].map(([, name]) => name);
  assert.deepEqual(left.toSorted(), compilers.toSorted());
});

test('a function that runs often is compiled once they are back, and not before', () => {
  const program = `
    const { startCompilers } = await import(${JSON.stringify(import.meta.resolve('./compilers.ts'))});
    const often = (n) => { let sum = 0; for (let i = 0; i < n; i++) sum = (sum + i * 3) % 1000003; return sum; };
    const isCompiled = () => (%GetOptimizationStatus(often) & ${compiledBits}) !== 0;
    for (let i = 0; i < 50; i++) often(100_000);
    const before = isCompiled();
    startCompilers();
    // Compiled in threads beside this one, so at a time of their own.
    for (let i = 0; i < 100_000 && !isCompiled(); i++) often(10_000);
    console.log(JSON.stringify([before, isCompiled()]));
  `;
  const flags = compilers.map((name) => `--no-${name}`);
  const output = execFileSync(process.execPath, [
    ...flags,
    ...['--allow-natives-syntax', '--disable-warning=ExperimentalWarning'],
    ...['--input-type=module', '--eval', program],
  ]);
  assert.deepEqual(JSON.parse(output.toString()), [false, true]);
});
