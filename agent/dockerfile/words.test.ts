// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are Dockerfile variables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expand } from './words.ts';

/** `'error'` stands for a refusal. The cases are those of BuildKit's lexer tests and of POSIX XCU 2.6.2. */
type Case = [source: string, result: string];

const shellVariables = { PWD: '/home', SHELL: 'bash', KOREAN: '한국어', NULL: '' };

const quotesAndEscapes: Case[] = [
  ['hello', 'hello'],
  ["he'll'o", 'hello'],
  ["he'llo", 'error'],
  ["he\\'llo", "he'llo"],
  ["he\\\\'llo", 'error'],
  ['abc\\tdef', 'abctdef'],
  ['"abc\\tdef"', 'abc\\tdef'],
  ['"abc\\\\tdef"', 'abc\\tdef'],
  ["'abc\\tdef'", 'abc\\tdef'],
  ['hello\\', 'hello'],
  ['hello\\\\', 'hello\\'],
  ['"hello', 'error'],
  ['"hello\\"', 'error'],
  ['"hel\'lo"', "hel'lo"],
  ["'hello\\'", 'hello\\'],
  ["'hello\\\\there'", 'hello\\\\there'],
  ['"\'\'"', "''"],
  ["안'녕'하세요", '안녕하세요'],
  ["안'녕하세요", 'error'],
  ['안녕\\t하세요', '안녕t하세요'],
];

const plainVariables: Case[] = [
  ['$.', '$.'],
  ['$', '$'],
  ['he$1x', 'hex'],
  ['he$.x', 'he$.x'],
  ['he$pwd.', 'he.'],
  ['he$PWD', 'he/home'],
  ['he\\$PWD', 'he$PWD'],
  ['he\\\\$PWD', 'he\\/home'],
  ['"he\\$PWD"', 'he$PWD'],
  ['"he\\\\$PWD"', 'he\\/home'],
  ["'$PWD'", '$PWD'],
  ['"he\'$PWD\'"', "he'/home'"],
  ['안녕$KOREAN', '안녕한국어'],
  ['$999aaa', 'aaa'],
  ['$@@@', '@@'],
  ['$$', ''],
  ['$0', ''],
];

const braced: Case[] = [
  ['\\${}aaa', '${}aaa'],
  ['${}', 'error'],
  ['he${hi}xx', 'hexx'],
  ['he${PWD}', 'he/home'],
  ['he${.}', 'error'],
  ['he${PWD', 'error'],
  ['${{aaa}', 'error'],
  ['${aaa}}', '}'],
  ['${:}', 'error'],
  ['${:-bbb}', 'error'],
  ['${1:-bbb}', 'bbb'],
  ['${001:+bbb}aaa', 'aaa'],
  ['${@:-bbb}aaa', 'bbbaaa'],
  ['${#}', ''],
  ['${?:-bbb}', 'bbb'],
  ['${-:+bbb}', ''],
];

const modified: Case[] = [
  ['he${XXX:-000}xx', 'he000xx'],
  ['he${PWD:-000}xx', 'he/homexx'],
  ['he${NULL:-000}xx', 'he000xx'],
  ['he${NULL-000}xx', 'hexx'],
  ['he${XXX:-${PWD:-yyy}}xx', 'he/homexx'],
  ['he${XXX:-${YYY:-yyy}}xx', 'heyyyxx'],
  ['he${XXX:YYY}', 'error'],
  ['he${XXX?}', 'error'],
  ['he${XXX:?}', 'error'],
  ['he${PWD?}', 'he/home'],
  ['he${NULL?}', 'he'],
  ['he${NULL:?}', 'error'],
  ['he${XXX:+${PWD}}xx', 'hexx'],
  ['he${PWD:+${SHELL}}xx', 'hebashxx'],
  ['${NULL+a}${NULL:+b}', 'a'],
  ['he${PWD:=000}xx', 'error'],
  ['he${PWD=000}xx', 'error'],
  ['he${PWD:+${PWD}:}xx', 'he/home:xx'],
  ['he${XXX:-\\$PWD:}xx', 'he$PWD:xx'],
  ['he${XXX:-\\${PWD}z}xx', 'he${PWDz}xx'],
  ['${aaa:-bbb', 'error'],
  ['${aaa:-bbb}}', 'bbb}'],
  ['${aaa:-bbb ${foo}', 'error'],
  ['${aaa:-bbb {foo}', 'bbb {foo'],
];

for (const [group, cases] of Object.entries({ quotesAndEscapes, plainVariables, braced, modified }))
  for (const [source, result] of cases)
    test(`${group}: ${source}`, () => assert.equal(expanded(source, shellVariables), result));

const patterns: [source: string, result: string, variables: Record<string, string>][] = [
  ['${F#()[]{\\}^$.\\*\\?|\\\\}', 'x', { F: '()[]{}^$.*?|\\x' }],
  ['${F%%\\**}', 'xx', { F: 'xx**' }],
  ['${F#*x*y}', 'y', { F: 'xxyy' }],
  ['${F#*}', 'xxyy', { F: 'xxyy' }],
  ['${F##*}', '', { F: 'xxyy' }],
  ['${F#$B}', 'xyy', { F: 'xxyy', B: 'x' }],
  ['${F#$B}', 'xxyy', { F: 'xxyy', B: '' }],
  ['${F##*x}', 'yy', { F: 'xxyy' }],
  ['${F#?\\?}', '?y', { F: '???y' }],
  ['${A:-.}${F%x}${A:-.}', '.xxyy.', { F: 'xxyy' }],
  ['${F%y*}', 'xxy', { F: 'xxyy' }],
  ['${F%%y*}', 'xx', { F: 'xxyy' }],
  ['${F%%\\**\\*}', 'a', { F: 'a***yy*' }],
  ['${F%}', 'xxyy', { F: 'xxyy' }],
  ['${F:#}', 'error', {}],
  ['${F:%%}', 'error', {}],
  ['${F#\\x}', 'error', { F: 'x' }],
  ['${F/$N/.} - ${F//$N/.}', '/foo.*/*.txt - /foo..*.txt', { F: '/foo*/*/*.txt', N: '\\*/' }],
  ['${F/$N/} - ${F//$N/}', '/tmp/bar.txt - /bar.txt', { F: '/tmp/tmp/bar.txt', N: '/tmp' }],
  ['${F//$N/$R}', '/foo/c.txt', { F: '/a/foo/b/c.txt', N: '/?/', R: '/' }],
  ['${F/$N/$R}', 'https://a.de', { F: 'http://a.de', N: 'http://', R: 'https://' }],
  ['${F//\\//\\/}', '\\/tmp\\/foo.txt', { F: '/tmp/foo.txt' }],
  ['${F/$B/ww}', 'wwxxyy', { F: 'xxyy', B: '' }],
  ['${F//ww}', 'error', { F: 'xxyy' }],
  ['${F///}', 'xxyy', { F: 'xxyy' }],
  ['a-${V}.${T}${A:+-${A}}.gz', 'a-1.arm-v7.gz', { V: '1', T: 'arm', A: 'v7' }],
];

for (const [source, result, variables] of patterns)
  test(`patterns: ${source}`, () => assert.equal(expanded(source, variables), result));

const splits: [source: string, words: string[], variables?: Record<string, string>][] = [
  ['hello${hi}bye', ['hellobye']],
  ['hello${space}bye', ['helloabc', 'defbye'], { space: 'abc  def' }],
  ['hello "${space}"bye', ['hello', 'abc  defbye'], { space: 'abc  def' }],
  ['hello${leading}def', ['hello', 'ab', 'cdef'], { leading: '  ab c' }],
  ['hello"${leading}" def', ['hello  ab c', 'def'], { leading: '  ab c' }],
  ['hello${trailing}d', ['helloab', 'c', 'd'], { trailing: 'ab c   ' }],
  ['hello" there  "', ['hello there  ']],
  ['hello     there', ['hello', 'there']],
  ['hello\\ there', ['hello there']],
  ['hello\\" there', ['hello"', 'there']],
  ["'' a", ['a']],
];

for (const [source, words, variables = {}] of splits)
  test(`words: ${source}`, () => {
    assert.deepEqual(expand(source, new Map(Object.entries(variables))).words, words);
  });

test('tells which variables were used', () => {
  const { text, matched, unmatched } = expand(
    '${FOO-a} ${BAR:-b} ${BAZ-c}',
    new Map([
      ['FOO', 'x'],
      ['BAR', ''],
    ]),
  );
  assert.equal(text, 'x b c');
  assert.deepEqual([...matched], ['FOO', 'BAR']);
  assert.deepEqual([...unmatched], ['BAZ']);
});

test('says what a variable is demanded for', () => {
  assert.throws(() => expand('${V:?set it with $A}', new Map([['A', 'x']])), /V: set it with x/);
  assert.throws(() => expand('${V?}', new Map()), /V: is not allowed to be unset/);
});

test('leaves unset variables, quotes and escapes where asked', () => {
  const variables = new Map([['A', '1']]);
  assert.equal(expand('$A $B ${B:-x}', variables, { keepUnset: true }).text, '1 $B ${B:-x}');
  assert.equal(expand('"$A" \'b\'', variables, { rawQuotes: true }).text, '"1" \'b\'');
  assert.equal(expand('"$A" \\$A', variables, { skipQuotes: true }).text, '"1" $A');
  assert.equal(expand('a\\ b', variables, { rawEscapes: true }).text, 'a\\ b');
  assert.equal(expand('a`$A\\', variables, { escape: '`' }).text, 'a$A\\');
});

function expanded(source: string, variables: Record<string, string>): string {
  try {
    return expand(source, new Map(Object.entries(variables))).text;
  } catch {
    return 'error';
  }
}
