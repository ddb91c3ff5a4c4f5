import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silenceTracer } from './module-tracing.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-tracing-'));
after(() => rmSync(directory, { recursive: true }));
const skip = process.arch === 'x64' ? false : 'the calls are of x86-64';
const code =
  'int two(int); int one(int a) { return two(a) + 1; } int three(int a) { return a * 3; }';

function compiled(name: string, ...flags: string[]): { path: string; content: Buffer } {
  const [source, path] = [join(directory, `${name}.c`), join(directory, `${name}.o`)];
  writeFileSync(source, code);
  execFileSync('gcc', ['-c', '-O1', '-fno-pie', '-mcmodel=kernel', ...flags, '-o', path, source]);
  return { path, content: readFileSync(path) };
}

test('calls of the tracer do nothing any more, and others are as they were', { skip }, () => {
  const { path, content } = compiled('traced', '-pg', '-mfentry');
  assert.equal(silenceTracer(content), 2);
  writeFileSync(path, content);
  const text = execFileSync('objdump', ['-dr', path], { encoding: 'utf8' });
  assert.equal(text.match(/0f 1f 44 00 00/g)?.length, 2);
  assert.doesNotMatch(text, /R_X86_64_\S+\s+__fentry__/);
  assert.match(text, /call.*\n.*R_X86_64_PLT32\s+two/);
});

test('a module that calls no tracer stays as it is', { skip }, () => {
  const { content } = compiled('plain');
  const before = Buffer.from(content);
  assert.equal(silenceTracer(content), 0);
  assert.deepEqual(content, before);
});
