import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { test } from 'node:test';
import { blankLanguages, blankTypeStripper } from './node-program.ts';

test('Node without other languages works in English, and packs smaller', () => {
  const directory = mkdtempSync(join(tmpdir(), 'corten-node-'));
  try {
    const program = readFileSync(execPath);
    assert.ok(blankLanguages(program) > 20_000_000);
    const path = join(directory, 'node');
    writeFileSync(path, program, { mode: 0o755 });
    const script = `console.log(JSON.stringify([
      new Intl.DateTimeFormat().resolvedOptions().locale,
      new Date(0).toLocaleString('en', { timeZone: 'Europe/Berlin' }),
      1234.5.toLocaleString('de'), 'ä'.normalize('NFKD').length, ['b', 'ä', 'a'].sort(new Intl.Collator().compare).join(''),
      new URL('http://bücher.de').host, 'İ'.toLowerCase().length, /\\p{L}/u.test('ж'), new TextDecoder('latin1').decode(Buffer.from([228]))]))`;
    assert.deepEqual(
      JSON.parse(execFileSync(path, ['-e', script], { encoding: 'utf8', env: { LANG: 'C' } })),
      // German falls back.
      [
        ...['en-US', '1/1/1970, 1:00:00 AM', '1,234.5', 2, 'aäb'],
        ...['xn--bcher-kva.de', 2, true, 'ä'],
      ],
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('Node that strips no types runs JavaScript, fetches, and packs smaller', () => {
  const directory = mkdtempSync(join(tmpdir(), 'corten-node-'));
  try {
    const program = readFileSync(execPath);
    assert.ok(blankTypeStripper(program) > 3_000_000);
    assert.equal(program.length, statSync(execPath).size);
    const path = join(directory, 'node');
    writeFileSync(path, program, { mode: 0o755 });
    // The parser of HTTP is WebAssembly too.
    const script = `require('node:http').createServer((_, response) => response.end('answer'))
      .listen(0, '127.0.0.1', async function () {
        console.log(await (await fetch('http://127.0.0.1:' + this.address().port)).text());
        process.exit();
      })`;
    assert.equal(execFileSync(path, ['-e', script], { encoding: 'utf8' }), 'answer\n');
    assert.throws(() => blankTypeStripper(program), /strips no types/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a program without ICU’s data is refused', () => {
  assert.throws(() => blankLanguages(Buffer.from('CmnD of nothing at all')), /no ICU data/);
  assert.throws(() => blankLanguages(Buffer.alloc(100)), /no ICU data/);
});
