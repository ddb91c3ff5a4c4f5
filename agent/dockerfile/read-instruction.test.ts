import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvFields } from './csv.ts';
import { durationNanos } from './duration.ts';
import type { Instruction } from './instruction.ts';
import { defaultLintOptions, Linter } from './linter.ts';
import { readMount } from './mount-options.ts';
import { parseDockerfile, parseInstruction } from './parser.ts';
import { readInstruction } from './read-instruction.ts';
import { SourceError } from './source.ts';
import { readDockerfile } from './stages.ts';
import { closest } from './suggest.ts';

const silent = new Linter(defaultLintOptions, () => {});

const meanings: [text: string, meaning: Record<string, unknown>][] = [
  ['FROM a', { kind: 'from', base: 'a', stageName: '', platform: '', description: '' }],
  [
    '# base builds all\nFROM --platform=$BUILDPLATFORM a as Base',
    {
      kind: 'from',
      base: 'a',
      stageName: 'base',
      platform: '$BUILDPLATFORM',
      description: 'builds all',
    },
  ],
  [
    '# a is the first\n# b is the second\nARG a=1 b c=',
    {
      kind: 'arg',
      args: [
        { name: 'a', value: '1', description: 'is the first' },
        { name: 'b', value: undefined, description: 'is the second' },
        { name: 'c', value: '', description: '' },
      ],
    },
  ],
  [
    'COPY --from=b --chown=1:1 --chmod=755 --link --parents --exclude=*.a --exclude=b x y /z',
    {
      kind: 'copy',
      from: 'b',
      paths: ['x', 'y'],
      files: [],
      destination: '/z',
      chown: '1:1',
      chmod: '755',
      isLinked: true,
      exclude: ['*.a', 'b'],
      withParents: true,
    },
  ],
  [
    'COPY --link=false a <<-X <<"Y" /z\n\t$1\nX\n$2\nY\n',
    {
      kind: 'copy',
      from: '',
      paths: ['a'],
      files: [
        { name: 'X', content: '$1\n', expands: true },
        { name: 'Y', content: '$2\n', expands: false },
      ],
      destination: '/z',
      chown: '',
      chmod: '',
      isLinked: false,
      exclude: [],
      withParents: false,
    },
  ],
  [
    'ADD --keep-git-dir --checksum=sha256:1 --unpack=false https://a /b',
    {
      kind: 'add',
      paths: ['https://a'],
      files: [],
      destination: '/b',
      chown: '',
      chmod: '',
      isLinked: false,
      exclude: [],
      keepsGitDirectory: true,
      checksum: 'sha256:1',
      unpacks: false,
    },
  ],
  ['HEALTHCHECK NONE', { kind: 'healthcheck', check: { Test: ['NONE'] } }],
  [
    'HEALTHCHECK --interval=1m30s --timeout=0s --retries=3 CMD curl x',
    {
      kind: 'healthcheck',
      check: { Test: ['CMD-SHELL', 'curl x'], Interval: 90e9, Retries: 3 },
    },
  ],
  ['EXPOSE 80 443/tcp', { kind: 'expose', ports: ['443/tcp', '80'] }],
  ['SHELL ["a", "-c"]', { kind: 'shell', shell: ['a', '-c'] }],
  ['onbuild  run  a b', { kind: 'onbuild', trigger: 'run  a b' }],
  ['ONBUILD RUN <<A\nx\nA\n', { kind: 'onbuild', trigger: 'RUN <<A\nx\nA' }],
  ['VOLUME ["/a", "/b c"]', { kind: 'volume', paths: ['/a', '/b c'] }],
  [
    'RUN --network=none --security=insecure --mount=type=cache,target=/x make',
    {
      kind: 'run',
      command: { args: ['make'], isForShell: true, heredocs: [] },
      mounts: ['type=cache,target=/x'],
      network: 'none',
      security: 'insecure',
    },
  ],
  ['CMD []', { kind: 'cmd', command: { args: [], isForShell: false, heredocs: [] } }],
];

for (const [text, meaning] of meanings)
  test(text, () => {
    const { source: _, ...rest } = read(text);
    assert.deepEqual(rest, meaning);
  });

const refused: [text: string, message: RegExp][] = [
  ['FORM a', /line 1: unknown instruction: FORM \(did you mean FROM\?\)/],
  ['foo bar', /unknown instruction: foo /],
  ['runn x', /unknown instruction: runn \(did you mean run\?\)/],
  ['FROM', /FROM requires either one or three arguments/],
  ['FROM a of b', /FROM requires either one or three arguments/],
  ['FROM a AS 1b', /invalid name for build stage: "1b"/],
  ['FROM --platfrom=x a', /unknown flag: --platfrom \(did you mean platform\?\)/],
  ['MAINTAINER --boo a', /unknown flag: --boo$/],
  ['WORKDIR', /WORKDIR requires exactly one argument/],
  ['EXPOSE', /EXPOSE requires at least one argument/],
  ['ENV', /ENV requires at least one argument/],
  ['ENV =a', /ENV names can not be blank/],
  ['ARG =a', /ARG names can not be blank/],
  ['COPY a', /COPY requires at least two arguments, but only one was provided/],
  ['COPY a <<EOF\nEOF', /COPY cannot accept a heredoc as a destination/],
  ['COPY --link=maybe a b', /expecting boolean value for flag --link, not: maybe/],
  ['COPY --link= a b', /missing a value on flag: --link/],
  ['COPY --from a b', /missing a value on flag: --from/],
  ['COPY --from=a --from=b c d', /duplicate flag specified: --from/],
  ['SHELL powershell -command', /SHELL requires the arguments to be in JSON form/],
  ['VOLUME [" "]', /VOLUME specified can not be an empty string/],
  ['ONBUILD ONBUILD RUN a', /Chaining ONBUILD/],
  ['ONBUILD FROM a', /FROM isn't allowed as an ONBUILD trigger/],
  ['HEALTHCHECK CMD', /Missing command after HEALTHCHECK CMD/],
  ['HEALTHCHECK CONNECT a', /Unknown type "CONNECT" in HEALTHCHECK \(try CMD\)/],
  ['HEALTHCHECK --interval=50ns CMD a', /Interval "interval" cannot be less than 1ms/],
  ['HEALTHCHECK --interval=soon CMD a', /--interval is a duration such as 1m30s, not "soon"/],
  ['HEALTHCHECK --retries=-1 CMD a', /--retries cannot be negative/],
  ['HEALTHCHECK NONE a', /HEALTHCHECK NONE takes no arguments/],
  ['RUN --network=some a', /invalid network mode "some"/],
  ['RUN --security=some a', /security "some" is not valid/],
  ['RUN --mount=from=$A,target=/x a', /'from' doesn't support variable expansion/],
];

for (const [text, message] of refused)
  test(`refuses ${text}`, () => {
    assert.throws(
      () => read(text),
      (error) => error instanceof SourceError && message.test(error.message),
    );
  });

test('an unknown flag is the place of the failure', () => {
  assert.throws(
    () => read('  COPY --link --form=a b c'),
    (error) => error instanceof SourceError && error.range.start.column === 14,
  );
});

const bind = {
  type: 'bind',
  from: '',
  source: '',
  target: '',
  readOnly: true,
  sizeBytes: 0,
  id: '',
  sharing: undefined,
  required: false,
  env: undefined,
  mode: undefined,
  uid: undefined,
  gid: undefined,
};

const mounts: [text: string, difference: Record<string, unknown>][] = [
  ['target=/a', { target: '/a' }],
  ['type=bind,dst=/a,rw', { target: '/a', readOnly: false }],
  ['type=bind,destination=/a,readwrite=false,src=b', { target: '/a', source: 'b' }],
  ['type=cache,target=$X', { type: 'cache', target: '/x', readOnly: false }],
  [
    'type=cache,target=/a,id=i,sharing=LOCKED,from=b,source=c,mode=0700,uid=1,gid=2,ro',
    {
      type: 'cache',
      target: '/a',
      id: 'i',
      sharing: 'locked',
      from: 'b',
      source: 'c',
      mode: 0o700,
      uid: 1,
      gid: 2,
    },
  ],
  [
    'type=tmpfs,target=/a,size=1g',
    { type: 'tmpfs', target: '/a', sizeBytes: 1024 ** 3, readOnly: false },
  ],
  ['type=secret,id=s,required', { type: 'secret', id: 's', required: true }],
  ['type=secret,id=s,env=TOKEN', { type: 'secret', id: 's', env: 'TOKEN' }],
  ['type=ssh,required=false', { type: 'ssh' }],
  ['"target=/a,b",type=tmpfs', { target: '/a,b', type: 'tmpfs', readOnly: false }],
];

for (const [text, difference] of mounts)
  test(`mount: ${text}`, () => {
    const mount = readMount(text, (word) => word.replace('$X', '/x'));
    assert.deepEqual(mount, { ...bind, ...difference });
  });

const refusedMounts: [text: string, message: RegExp][] = [
  ['type=cahce', /unsupported mount type "cahce" \(did you mean cache\?\)/],
  ['taget=/a', /unexpected key 'taget' in 'taget=\/a' \(did you mean target\?\)/],
  ['target', /invalid field 'target' must be a key=value pair/],
  ['type=cache,sharing=some', /unsupported sharing value "some"/],
  ['type=bind,sharing=locked', /invalid cache sharing set for bind mount/],
  ['type=bind,required', /unexpected key 'required' for mount type 'bind'/],
  ['size=1g', /unexpected key 'size' for mount type 'bind'/],
  ['type=tmpfs,size=x', /invalid value for size: x/],
  ['type=secret', /one of source, target required/],
  ['type=secret,id=a,source=b', /both source and id can't be set/],
  ['type=secret,id=a,from=b', /secret mount should not have a from/],
  ['type=bind,uid=1', /uid not allowed for "bind" type mounts/],
  ['type=cache,mode=9', /invalid value 9 for mode/],
  ['ro=maybe', /invalid value for ro: maybe/],
  ['"target=/a', /failed to parse csv mounts/],
];

for (const [text, message] of refusedMounts)
  test(`refuses the mount ${text}`, () => {
    assert.throws(() => readMount(text, (word) => word), message);
  });

test('fields with quotes', () => {
  assert.deepEqual(csvFields('a,,"b,""c"""'), ['a', '', 'b,"c"']);
  for (const wrong of ['', 'a"b', '"a"b', '"a']) assert.throws(() => csvFields(wrong), wrong);
});

test('durations', () => {
  assert.deepEqual(['1m30s', '1.5h', '.5s', '0', '-1s', '10', '1d', ''].map(durationNanos), [
    90e9,
    5400e9,
    5e8,
    0,
    -1e9,
    undefined,
    undefined,
    undefined,
  ]);
});

test('what was probably meant', () => {
  assert.equal(closest('alpne', ['alpine', 'ubuntu']), 'alpine');
  assert.equal(closest('alpine', ['alpine', 'alpin']), undefined);
  assert.equal(closest('xyz', ['alpine']), undefined);
  assert.equal(closest('RNU', ['run'], true), 'RUN');
});

const files: [what: string, text: string, message: RegExp][] = [
  ['an instruction before FROM', 'RUN a\nFROM b', /line 1: no build stage in current context/],
  ['a file with arguments only', 'ARG a', /dockerfile contains no stages to build/],
];

for (const [what, text, message] of files)
  test(`refuses ${what}`, () => {
    assert.throws(() => readDockerfile(parseDockerfile(text), silent), message);
  });

test('stages and global arguments', () => {
  const text = 'ARG V=1\nFROM a:$V AS one\nRUN x\nFROM one\nCOPY a b\n';
  const { globalArgs, stages } = readDockerfile(parseDockerfile(text), silent);
  assert.deepEqual(
    globalArgs.map(({ args }) => args[0]!.name),
    ['V'],
  );
  assert.deepEqual(
    stages.map(({ from, instructions }) => [from.stageName, instructions.map(({ kind }) => kind)]),
    [
      ['one', ['run']],
      ['', ['copy']],
    ],
  );
});

function read(text: string): Instruction {
  return readInstruction(parseInstruction(text), silent);
}
