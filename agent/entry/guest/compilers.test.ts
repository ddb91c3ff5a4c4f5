import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

/** Bits of `%GetOptimizationStatus` for optimised and for baseline code (V8, src/runtime/runtime.h, OptimizationStatus). */
const compiledBits = (1 << 3) | (1 << 14);

test('a function that runs often is not compiled while the compilers are paused, and is once they have resumed', () => {
  const program = `
    const { pauseCompilers, resumeCompilers } = await import(${JSON.stringify(import.meta.resolve('./compilers.ts'))});
    const often = (n) => { let sum = 0; for (let i = 0; i < n; i++) sum = (sum + i * 3) % 1000003; return sum; };
    const isCompiled = () => (%GetOptimizationStatus(often) & ${compiledBits}) !== 0;
    pauseCompilers();
    for (let i = 0; i < 50; i++) often(100_000);
    const before = isCompiled();
    resumeCompilers();
    // Threads beside this one compile, so the time is not known.
    for (let i = 0; i < 100_000 && !isCompiled(); i++) often(10_000);
    console.log(JSON.stringify([before, isCompiled()]));
  `;
  const output = execFileSync(process.execPath, [
    ...['--allow-natives-syntax', '--disable-warning=ExperimentalWarning'],
    ...['--input-type=module', '--eval', program],
  ]);
  assert.deepEqual(JSON.parse(output.toString()), [false, true]);
});
