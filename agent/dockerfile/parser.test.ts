import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findDirective } from './directives.ts';
import { heredocOf, withoutLeadingTabs } from './heredoc.ts';
import { type ParsedInstruction, parseDockerfile, positionOf } from './parser.ts';
import { SourceError } from './source.ts';

/** Each instruction of the text in one line: keyword, flags and quoted arguments. Cases of BuildKit's parser tests. */
const cases: [what: string, text: string, instructions: string[]][] = [
  ['a plain file', 'FROM a\nRUN b  c\n', ['from "a"', 'run "b  c"']],
  [
    'tabs',
    'ADD\t\tnull /\nCOPY\t[ "test file", "/tmp" ]',
    ['add "null" "/"', 'copy "test file" "/tmp"'],
  ],
  [
    'an argument with and without a value',
    'ARG foo bar=baz\nARG abc="123 456" def',
    ['arg "foo" "bar=baz"', 'arg "abc=\\"123 456\\"" "def"'],
  ],
  ['a continuation at the end', 'RUN something \\', ['run "something"']],
  [
    'blanks of continued lines stay',
    'RUN echo hello\\\n  world\\\n  moon\\\nning\nRUN echo hello  \\  \nworld',
    ['run "echo hello  world  moonning"', 'run "echo hello  world"'],
  ],
  [
    'lines with nothing but the continuation',
    'RUN echo hi \\\n \\\n \\\n world \\\n\\\n good\\\n\\\nnight',
    ['run "echo hi    world  goodnight"'],
  ],
  [
    'comments and empty lines within',
    'RUN echo hello \\\n# a comment\n\n   # another\nmore\n',
    ['run "echo hello more"'],
  ],
  ['a comment after the end', 'RUN a \\\n  b\n# c \\\nRUN d', ['run "a   b"', 'run "d"']],
  [
    'an escaped escape character continues nothing',
    'ENV C trailing\\\\backslash\\\\\nENV D alone',
    ['env C trailing\\\\backslash\\\\ legacy', 'env D alone legacy'],
  ],
  [
    'another escape character',
    '# escape = `\nFROM image\nENV P `\n\\go',
    ['from "image"', 'env P \\go legacy'],
  ],
  [
    'a directive after a comment is none',
    '# words\n# escape = `\nENV P \\\n\\go',
    ['env P \\go legacy'],
  ],
  [
    'escape after syntax',
    '# syntax = docker/dockerfile\n# escape = `\nFROM `\n    image',
    ['from "image"'],
  ],
  [
    'values with quotes and escapes',
    'ENV name="value value1"\nENV name=value\\ value2 n=\'a\\\'b\'\'\nENV a="b=c" d="e',
    ['env name="value value1"', "env name=value\\ value2 n='a\\'b''", 'env a="b=c" d="e'],
  ],
  [
    'the old form',
    'ENV SCUBA "1 DUBA 3"\nLABEL maintainer A B <c>',
    ['env SCUBA "1 DUBA 3" legacy', 'label maintainer A B <c> legacy'],
  ],
  [
    'flags',
    'COPY --user=me --doit=true foo /tmp/\nCOPY --doit=true -- foo /tmp/\nCOPY -- foo /\nCMD --doit [ "a" ]',
    [
      'copy [--user=me --doit=true] "foo" "/tmp/"',
      'copy [--doit=true] "foo" "/tmp/"',
      'copy "foo" "/"',
      'cmd [--doit] "a"',
    ],
  ],
  [
    'a quoted flag',
    'RUN --mount="type=bind,target=/a b" x',
    ['run [--mount=type=bind,target=/a b] "x"'],
  ],
  [
    'health checks',
    'HEALTHCHECK\nHEALTHCHECK --interval=5s \\\n  CMD /check --quiet\nHEALTHCHECK   CMD   a b\nHEALTHCHECK CMD ["foo"]',
    [
      'healthcheck',
      'healthcheck [--interval=5s] "CMD" "/check --quiet"',
      'healthcheck "CMD" "a b"',
      'healthcheck "CMD" "foo"',
    ],
  ],
  [
    'lists',
    'CMD []\nCMD [""]\nCMD\t[\t"a",\t"b"\t]\t\nCMD ["♥", "\\" \\\\ \\/ \\n \\u0000"]',
    ['cmd', 'cmd ""', 'cmd "a" "b"', 'cmd "♥" "\\" \\\\ / \\n \\u0000"'],
  ],
  [
    'lists that are none are lines',
    'CMD [\'a\']\nCMD ["a"\nCMD ["a]',
    ['cmd "[\'a\']"', 'cmd "[\\"a\\""', 'cmd "[\\"a]"'],
  ],
  [
    'triggers',
    'ONBUILD RUN ["echo"]\nONBUILD COPY --link . /',
    ['onbuild (run "echo")', 'onbuild (copy [--link] "." "/")'],
  ],
  ['a byte order mark', '\ufeffFROM a', ['from "a"']],
  ['line ends of Windows', 'FROM a\r\nRUN b \\\r\n c\r\n', ['from "a"', 'run "b  c"']],
  ['an unknown instruction', 'FORM a', ['form']],
];

for (const [what, text, instructions] of cases)
  test(what, () => assert.deepEqual(parseDockerfile(text).instructions.map(lineOf), instructions));

const refused: [what: string, text: string, message: RegExp, line: number][] = [
  ['an empty file', '', /line 1: file with no instructions/, 1],
  ['nothing but comments', '# a\n# b\n', /file with no instructions/, 2],
  ['a variable without a value', 'FROM a\n\nENV PATH\n', /line 3: ENV must have two arguments/, 3],
  ['a nested list', 'CMD [ "a", [ "b" ] ]', /arrays must be comprised of strings only/, 1],
  ['a number in a list', 'FROM a\nCMD ["a",42]', /line 2: when using JSON array syntax/, 2],
  ['a word that is no pair', 'ENV a=b c', /can't find = in "c"/, 1],
  ['an escape character of its own', '# escape=x\nFROM a', /line 1: invalid escape token 'x'/, 1],
  ['two escape directives', '# escape=\\\n# escape=`\nFROM a', /line 2: only one escape/, 2],
  ['a heredoc without an end', 'FROM a\nRUN <<EOF\necho\n', /line 2: unterminated heredoc/, 2],
];

for (const [what, text, message, line] of refused)
  test(`refuses ${what}`, () => {
    assert.throws(
      () => parseDockerfile(text),
      (error) =>
        error instanceof SourceError &&
        message.test(error.message) &&
        error.range.start.line === line,
    );
  });

const heredocs: [line: string, body: string, names: string[], contents: string[]][] = [
  ['RUN <<EMPTY', 'EMPTY\n', ['EMPTY'], ['']],
  ['RUN 3<<FD', 'FD\n', ['FD'], ['']],
  ['RUN "<<NONE"', '', [], []],
  ['USER <<NONE', '', [], []],
  ['RUN ["<<NONE"]', '', [], []],
  ['RUN <<A', '\tfoo\n# no comment\nbar \\\nA\n', ['A'], ['\tfoo\n# no comment\nbar \\\n']],
  ['RUN <<-A', '\tfoo\n\tA\n', ['A'], ['\tfoo\n']],
  ['COPY <<X <<Y /dest', 'Y\nX\nX\nY\n', ['X', 'Y'], ['Y\n', 'X\n']],
  ['RUN <<A python3', "print('x')\nA\n", ['A'], ["print('x')\n"]],
  ["RUN <<eo'f'", 'a\neof\n', ['eof'], ['a\n']],
  ["RUN <<eo\\'f", "a\neo'f\n", ["eo'f"], ['a\n']],
  ["RUN <<'one two'", 'a\none two\n', ['one two'], ['a\n']],
  ['RUN <<$EOF', '$EOF\n', ['$EOF'], ['']],
  ['RUN <<  EOF  > foo', 'EOF\n', ['EOF'], ['']],
  ['RUN <<- EOF', '', [], []],
  ['RUN << -EOF', '-EOF\n', ['-EOF'], ['']],
  ['RUN --mount=type=cache,target=/f <<M', 'echo\nM\n', ['M'], ['echo\n']],
  ['ONBUILD COPY <<file.txt /', 'hello\nfile.txt\n', ['file.txt'], ['hello\n']],
  ['RUN <<A', 'a\r\nA\r\n', ['A'], ['a\r\n']],
];

for (const [line, body, names, contents] of heredocs)
  test(`heredoc: ${line}`, () => {
    const { instructions } = parseDockerfile(`FROM a\n${line}\n${body}RUN after`);
    assert.deepEqual(
      instructions[1]!.heredocs.map(({ name }) => name),
      names,
    );
    assert.deepEqual(
      instructions[1]!.heredocs.map(({ content }) => content),
      contents,
    );
    assert.equal(instructions[2]!.text, 'RUN after');
  });

test('a heredoc expands unless a part of its name is quoted', () => {
  const expands = (word: string) => heredocOf(word)?.expands;
  assert.deepEqual(['<<A', '<<-A', "<<'A'", '<<"A"', '<<A"B"', "<<a\\'b"].map(expands), [
    true,
    true,
    false,
    false,
    false,
    true,
  ]);
  assert.equal(heredocOf('4<<A')?.fileDescriptor, 4);
  for (const none of ['', 'EOF', '<<', '<<-', '<EOF', '<<<EOF', '<<EOF sh'])
    assert.equal(heredocOf(none), undefined, none);
  for (const wrong of ["<<'EOF", '<<EOF"']) assert.throws(() => heredocOf(wrong), wrong);
  assert.equal(withoutLeadingTabs('\thello\n\t\tworld\n a'), 'hello\nworld\n a');
});

test('places of instructions and of words in them', () => {
  const text = '# syntax=x\n\nFROM a\n  RUN --mount=type=x \\\n# why\n    made <<E\nE\n';
  const [from, run] = parseDockerfile(text).instructions;
  assert.deepEqual(from!.range, { start: { line: 3, column: 0 }, end: { line: 3, column: 6 } });
  assert.deepEqual(run!.range, { start: { line: 4, column: 2 }, end: { line: 7, column: 1 } });
  assert.deepEqual(positionOf(run!, '--mount'), { line: 4, column: 6 });
  assert.deepEqual(positionOf(run!, 'made'), { line: 6, column: 4 });
  assert.deepEqual(positionOf(run!, 'elsewhere'), { line: 4, column: 2 });
});

test('comments directly above an instruction', () => {
  const text = '# syntax=x\n# old\n#\n# builds it\n# all\nFROM a AS b\nRUN c';
  const comments = parseDockerfile(text).instructions.map((instruction) => instruction.comments);
  assert.deepEqual(comments, [['builds it', 'all'], []]);
});

test('instructions that are continued over empty lines', () => {
  const text = 'FROM a\nRUN one \\\n\n two\nRUN x \\\n # c\n y\n';
  assert.deepEqual(parseDockerfile(text).emptyContinuations, [{ text: 'RUN one  two', line: 4 }]);
});

const directives: [text: string, value: string | undefined, line?: number][] = [
  ['# syntax = dockerfile:experimental // opts\nFROM b', 'dockerfile:experimental // opts', 1],
  ['#!/bin/sh\n# syntax=a\nFROM b', 'a', 2],
  ['#!/bin/sh\n\n# syntax=a\n', undefined],
  ['# escape=`\n# SYNTAX=a\r\n', 'a', 2],
  ['# key=v\n# syntax=a\n', undefined],
  ['FROM b\n', undefined],
  ['//syntax=foo\n//key=value', 'foo', 1],
  ['{"syntax": "foo", "bar": ["abc"]}', 'foo', 1],
  ['{"syntax": "foo"', undefined],
  ['\ufeff# syntax=a', 'a', 1],
];

for (const [text, value, line] of directives)
  test(`syntax directive: ${JSON.stringify(text)}`, () => {
    const found = findDirective(text, 'syntax');
    assert.deepEqual([found?.value, found?.line], [value, line]);
  });

test('a check directive is only a comment', () => {
  assert.equal(findDirective('# check=skip=all\nFROM a', 'check')?.value, 'skip=all');
  assert.equal(findDirective('//check=skip=all', 'check'), undefined);
});

function lineOf({ keyword, flags, args, pairs, trigger }: ParsedInstruction): string {
  const words = [keyword];
  if (flags.length > 0) words.push(`[${flags.join(' ')}]`);
  if (trigger !== undefined) words.push(`(${lineOf(trigger)})`);
  else if (pairs === undefined) words.push(...args.map((arg) => JSON.stringify(arg)));
  else
    for (const { name, value, isLegacy } of pairs)
      words.push(isLegacy ? `${name} ${value} legacy` : `${name}=${value}`);
  return words.join(' ');
}
