import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseStat } from './process-stat.ts';

const fields = (name: string) =>
  `42 (${name}) R ${Array.from({ length: 49 }, (_, index) => index + 4).join(' ')}\n`;

test('fields by their place in the manual page', () => {
  assert.deepEqual(parseStat(fields('sh')), {
    name: 'sh',
    state: 'R',
    parentPid: 4,
    terminal: 7,
    cpuTicks: 14 + 15,
    threads: 20,
    startTicks: 22n,
    residentPages: 24,
  });
});

test('a name with parentheses, blanks and newlines shifts nothing and is kept whole', () => {
  for (const name of ['a) b (c', ') R 1 1 1 (', 'two\nlines', '))))', '', '42 (x) S 1'])
    assert.deepEqual(parseStat(fields(name)), { ...parseStat(fields('sh')), name });
});

test('our own process, and what is no such line', () => {
  assert.equal(parseStat(readFileSync('/proc/self/stat', 'utf8'))?.parentPid, process.ppid);
  for (const text of ['', '42 (sh', '42 (sh) R 1 2', 'nonsense'])
    assert.equal(parseStat(text), undefined);
});
