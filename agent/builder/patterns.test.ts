/** The outcomes are those of moby/patternmatcher's own tests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanPath, matchPath, PatternMatcher, readIgnoreFile } from './patterns.ts';

const byDirectory: readonly (readonly [string, string, boolean])[] = [
  ['**', 'file', true],
  ['**', 'file/', true],
  ['**/', 'file', true],
  ['**/', 'file/', true],
  ['**', '/', true],
  ['**/', '/', true],
  ['**', 'dir/file', true],
  ['**/', 'dir/file', true],
  ['**', 'dir/file/', true],
  ['**/', 'dir/file/', true],
  ['**/**', 'dir/file', true],
  ['**/**', 'dir/file/', true],
  ['dir/**', 'dir/file', true],
  ['dir/**', 'dir/file/', true],
  ['dir/**', 'dir/dir2/file', true],
  ['dir/**', 'dir/dir2/file/', true],
  ['**/dir', 'dir', true],
  ['**/dir', 'dir/file', true],
  ['**/dir2/*', 'dir/dir2/file', true],
  ['**/dir2/*', 'dir/dir2/file/', true],
  ['**/dir2/**', 'dir/dir2/dir3/file', true],
  ['**/dir2/**', 'dir/dir2/dir3/file/', true],
  ['**file', 'file', true],
  ['**file', 'dir/file', true],
  ['**/file', 'dir/file', true],
  ['**file', 'dir/dir/file', true],
  ['**/file', 'dir/dir/file', true],
  ['**/file*', 'dir/dir/file', true],
  ['**/file*', 'dir/dir/file.txt', true],
  ['**/file*txt', 'dir/dir/file.txt', true],
  ['**/file*.txt', 'dir/dir/file.txt', true],
  ['**/file*.txt*', 'dir/dir/file.txt', true],
  ['**/**/*.txt', 'dir/dir/file.txt', true],
  ['**/**/*.txt2', 'dir/dir/file.txt', false],
  ['**/*.txt', 'file.txt', true],
  ['**/**/*.txt', 'file.txt', true],
  ['a**/*.txt', 'a/file.txt', true],
  ['a**/*.txt', 'a/dir/file.txt', true],
  ['a**/*.txt', 'a/dir/dir/file.txt', true],
  ['a/*.txt', 'a/dir/file.txt', false],
  ['a/*.txt', 'a/file.txt', true],
  ['a/*.txt**', 'a/file.txt', true],
  ['a[b-d]e', 'ae', false],
  ['a[b-d]e', 'ace', true],
  ['a[b-d]e', 'aae', false],
  ['a[^b-d]e', 'aze', true],
  ['.*', '.foo', true],
  ['.*', 'foo', false],
  ['abc.def', 'abcdef', false],
  ['abc.def', 'abc.def', true],
  ['abc.def', 'abcZdef', false],
  ['abc?def', 'abcZdef', true],
  ['abc?def', 'abcdef', false],
  ['a\\\\', 'a\\', true],
  ['**/foo/bar', 'foo/bar', true],
  ['**/foo/bar', 'dir/foo/bar', true],
  ['**/foo/bar', 'dir/dir2/foo/bar', true],
  ['abc/**', 'abc', false],
  ['abc/**', 'abc/def', true],
  ['abc/**', 'abc/def/ghi', true],
  ['**/.foo', '.foo', true],
  ['**/.foo', 'bar.foo', false],
  ['a(b)c/def', 'a(b)c/def', true],
  ['a(b)c/def', 'a(b)c/xyz', false],
  ['a.|)$(}+{bc', 'a.|)$(}+{bc', true],
  [
    'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl',
    'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl',
    true,
  ],
  ['dist/*.whl', 'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl', true],
  ['a\\*b', 'a*b', true],
];

/** Undefined: the pattern is refused. */
const likePathMatch: readonly (readonly [string, string, boolean | undefined])[] = [
  ['abc', 'abc', true],
  ['*', 'abc', true],
  ['*c', 'abc', true],
  ['a*', 'a', true],
  ['a*', 'abc', true],
  ['a*', 'ab/c', true],
  ['a*/b', 'abc/b', true],
  ['a*/b', 'a/c/b', false],
  ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxe/xxx/f', false],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
  ['a*b?c*x', 'abxbbxdbxebxczzx', true],
  ['a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['ab[c]', 'abc', true],
  ['ab[b-d]', 'abc', true],
  ['ab[e-g]', 'abc', false],
  ['ab[^c]', 'abc', false],
  ['ab[^b-d]', 'abc', false],
  ['ab[^e-g]', 'abc', true],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'ab', false],
  ['a?b', 'a☺b', true],
  ['a[^a]b', 'a☺b', true],
  ['a???b', 'a☺b', false],
  ['a[^a][^a][^a]b', 'a☺b', false],
  ['[a-ζ]*', 'α', true],
  ['*[a-ζ]', 'A', false],
  ['a?b', 'a/b', false],
  ['a*b', 'a/b', false],
  ['[\\]a]', ']', true],
  ['[\\-]', '-', true],
  ['[x\\-]', 'x', true],
  ['[x\\-]', '-', true],
  ['[x\\-]', 'z', false],
  ['[\\-x]', 'x', true],
  ['[\\-x]', '-', true],
  ['[\\-x]', 'a', false],
  ['[]a]', ']', undefined],
  ['[-]', '-', undefined],
  ['[x-]', 'x', undefined],
  ['[x-]', '-', undefined],
  ['[x-]', 'z', undefined],
  ['[-x]', 'x', undefined],
  ['[-x]', '-', undefined],
  ['[-x]', 'a', undefined],
  ['\\', 'a', undefined],
  ['[a-b-c]', 'a', undefined],
  ['[', 'a', undefined],
  ['[^', 'a', undefined],
  ['[^bc', 'a', undefined],
  ['a[', 'a', undefined],
  ['a[', 'ab', undefined],
  ['*x', 'xxx', true],
];

const several: readonly (readonly [string[], string, boolean])[] = [
  [['**', '!util/docker/web'], 'util/docker/web/foo', false],
  [['**', '!util/docker/web', 'util/docker/web/foo'], 'util/docker/web/foo', true],
  [
    ['**', '!dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl'],
    'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl',
    false,
  ],
  [['**', '!dist/*.whl'], 'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl', false],
  [['!fileutils.go', '*.go'], 'fileutils.go', true],
  [['docs', '!docs/README.md'], 'docs/README.md', false],
  [['docs/', '!docs/README.md'], 'docs/README.md', false],
  [['docs/*', '!docs/README.md'], 'docs/README.md', false],
  [['*.go', '!fileutils.go'], 'fileutils.go', false],
  [[], 'any/path/there', false],
  [['docs', '  !docs/README.md  '], 'docs/README.md', false],
];

test('a pattern matches a path or a directory above it', () => {
  for (const [pattern, path, isMatch] of byDirectory)
    assert.equal(new PatternMatcher([pattern]).matches(path), isMatch, `${pattern} on ${path}`);
  for (const [patterns, path, isMatch] of several)
    assert.equal(new PatternMatcher(patterns).matches(path), isMatch, `${patterns} on ${path}`);
});

test('a walk that tells what matched the directories above comes to the same', () => {
  const all = [...byDirectory.map(([one, ...rest]) => [[one], ...rest] as const), ...several];
  for (const [patterns, path, isMatch] of all) {
    const matcher = new PatternMatcher([...patterns]);
    const directory = path.includes('/')
      ? cleanPath(path.slice(0, path.lastIndexOf('/') + 1))
      : '.';
    const above = directory === '.' ? [] : directory.split('/');
    let parent: readonly boolean[] = [];
    for (const index of above.keys())
      parent = matcher.matchesBelow(above.slice(0, index + 1).join('/'), parent).matches;
    assert.equal(matcher.matchesBelow(path, parent).isMatch, isMatch, `${patterns} on ${path}`);
  }
});

test('a single component matches as in path.Match', () => {
  for (const [pattern, path, isMatch] of likePathMatch) {
    const match = () => new PatternMatcher([pattern]).matches(path);
    if (isMatch === undefined) assert.throws(match, /syntax error in pattern/, pattern);
    else assert.equal(match(), isMatch, `${pattern} on ${path}`);
  }
});

test('path.Match itself wants the whole path', () => {
  for (const [pattern, path, isMatch] of likePathMatch) {
    if (isMatch === undefined) assert.throws(() => matchPath(pattern, path), /syntax error/);
    // That row counts on the directory that matches.
    else if (path !== 'ab/c') assert.equal(matchPath(pattern, path), isMatch, `${pattern} ${path}`);
  }
  assert.equal(matchPath('a*', 'ab/c'), false);
  assert.equal(matchPath('**', 'ab/c'), false);
  assert.equal(matchPath('[a-c]?.txt', 'b1.txt'), true);
  assert.equal(matchPath('[^a-c]', 'b'), false);
  assert.equal(matchPath('{a,b}(c)+', '{a,b}(c)+'), true);
});

test('a lone exclamation mark is refused', () => {
  assert.throws(() => new PatternMatcher(['!']), /illegal exclusion pattern/);
});

test('exclusions are known', () => {
  assert.equal(new PatternMatcher(['docs', '']).hasExclusions, false);
  assert.equal(new PatternMatcher(['docs', '  !docs/README.md']).hasExclusions, true);
});

test('an ignore file is read line by line', () => {
  const text = `\uFEFFtest1
/test2
/a/file/here

lastfile
# this is a comment
 # no comment
a/./b/../c/
/
! /inverted/abs/path
!
! `;
  assert.deepEqual(readIgnoreFile(text), [
    'test1',
    'test2',
    'a/file/here',
    'lastfile',
    '# no comment',
    'a/c',
    '/',
    '!inverted/abs/path',
    '!',
    '!',
  ]);
});

test('paths are cleaned as Go does', () => {
  for (const [path, cleaned] of [
    ['', '.'],
    ['a//b/', 'a/b'],
    ['./a', 'a'],
    ['../a/..', '..'],
    ['/../a', '/a'],
    ['/', '/'],
  ] as const)
    assert.equal(cleanPath(path), cleaned);
});
