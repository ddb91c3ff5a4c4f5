import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageConfig } from '../../contract/image.ts';
import { withChanges } from './image-changes.ts';

const image: ImageConfig = {
  Env: ['PATH=/bin', 'HOME=/root'],
  Entrypoint: ['/entry'],
  Cmd: ['old'],
  Labels: { kept: 'yes' },
  WorkingDir: '/srv',
};

/** What `changes` makes of the image, where it differs. */
function changed(...changes: string[]): Record<string, unknown> {
  const result = withChanges(image, changes);
  const names = [...Object.keys(image), ...Object.keys(result)] as (keyof ImageConfig)[];
  return Object.fromEntries(
    [...new Set(names)]
      .filter((name) => JSON.stringify(result[name]) !== JSON.stringify(image[name]))
      .map((name) => [name, result[name]]),
  );
}

const braced = (variable: string) => `$\{${variable}}`;

const cases: [what: string, changes: string[], result: Record<string, unknown>][] = [
  ['a list of words', ['CMD ["a", "b c"]'], { Cmd: ['a', 'b c'] }],
  ['a line for the shell', ['cmd echo "a b" $X'], { Cmd: ['/bin/sh', '-c', 'echo "a b" $X'] }],
  [
    'an entrypoint, which takes the command away',
    ['ENTRYPOINT ["/new"]'],
    { Entrypoint: ['/new'], Cmd: undefined },
  ],
  [
    'a command before an entrypoint stays',
    ['CMD ["x"]', 'ENTRYPOINT ["/new"]'],
    { Entrypoint: ['/new'], Cmd: ['x'] },
  ],
  [
    'variables, old and new ones',
    [
      `ENV A=1 B="two words" HOME=/home C=${braced('NONE:-else')}${braced('A:+early')}`,
      `ENV D $A and ${braced('B')}`,
    ],
    {
      Env: ['PATH=/bin', 'HOME=/home', 'A=1', 'B=two words', 'C=else', 'D=1 and two words'],
    },
  ],
  [
    'escapes and quotes',
    ['ENV E=a\\ b F=\'$A\' G="\\$A"'],
    { Env: [...image.Env!, 'E=a b', 'F=$A', 'G=$A'] },
  ],
  [
    'ports, ranges too',
    ['EXPOSE 80 53/udp 8000-8001'],
    { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {} } },
  ],
  ['a port that a variable has none for', ['EXPOSE $NONE 81'], { ExposedPorts: { '81/tcp': {} } }],
  ['labels', ['LABEL a="b c" "d"=e'], { Labels: { kept: 'yes', a: 'b c', d: 'e' } }],
  ['a user', ['USER web:$NONE"staff"'], { User: 'web:staff' }],
  ['volumes', ['VOLUME /a ["b"', 'VOLUME ["/c"]'], { Volumes: { '/a': {}, '[b': {}, '/c': {} } }],
  [
    'a directory within the one before',
    ['WORKDIR app', 'WORKDIR ../web'],
    { WorkingDir: '/srv/web' },
  ],
  ['an absolute directory', ['WORKDIR $HOME/x'], { WorkingDir: '/root/x' }],
  ['triggers', ['ONBUILD RUN a', 'onbuild COPY . /b'], { OnBuild: ['RUN a', 'COPY . /b'] }],
  ['a signal', ['STOPSIGNAL SIGQUIT'], { StopSignal: 'SIGQUIT' }],
  [
    'a check of health',
    ['HEALTHCHECK --interval=1m30s --timeout=1.5s --retries=2 CMD curl localhost'],
    {
      Healthcheck: {
        Interval: 90e9,
        Timeout: 1.5e9,
        Retries: 2,
        Test: ['CMD-SHELL', 'curl localhost'],
      },
    },
  ],
  ['none', ['HEALTHCHECK NONE'], { Healthcheck: { Test: ['NONE'] } }],
  [
    'lines that go on, and comments',
    ['# a comment\nENV A=1 \\\n  B=2\n\nUSER x', 'LABEL l=\\', '1'],
    {
      Env: [...image.Env!, 'A=1', 'B=2'],
      User: 'x',
      Labels: { kept: 'yes', l: '1' },
    },
  ],
];
for (const [what, changes, result] of cases)
  test(`changes: ${what}`, () => {
    const before = structuredClone(image);
    assert.deepEqual(changed(...changes), result);
    assert.deepEqual(image, before);
  });

const refused: [change: string, why: RegExp][] = [
  ['RUN rm -rf /', /^RUN is not a valid change command$/],
  ['FROM scratch', /FROM is not a valid/],
  ['CMD', /CMD requires at least one argument/],
  ['CMD ["a", 1]', /comprised of strings only/],
  ['ENV A', /ENV must have two arguments/],
  ['ENV A=1 B', /can't find = in "B"/],
  ['ENV =1', /names can not be blank/],
  ['LABEL a="b', /does not end/],
  ['ENV A=${', /variable that is none/],
  ['EXPOSE 0', /Invalid containerPort: 0/],
  ['EXPOSE 90-80', /Invalid containerPort/],
  ['EXPOSE 1/icmp', /Invalid proto: icmp/],
  ['VOLUME [""]', /empty string/],
  ['STOPSIGNAL NONE', /Invalid signal/],
  ['ONBUILD ONBUILD RUN x', /Chaining ONBUILD/],
  ['ONBUILD from x', /FROM isn't allowed/],
  ['HEALTHCHECK echo', /Unknown type "ECHO"/],
  ['HEALTHCHECK CMD', /Missing command/],
  ['HEALTHCHECK NONE x', /takes no arguments/],
  ['HEALTHCHECK --interval=1 CMD x', /a duration such as/],
  ['HEALTHCHECK --interval=1us CMD x', /less than 1ms/],
  ['HEALTHCHECK --retries=-1 CMD x', /not negative/],
  ['HEALTHCHECK --what=1 CMD x', /unknown flag/],
];
for (const [change, why] of refused)
  test(`changes: "${change}" is refused`, () => {
    assert.throws(() => withChanges(image, [change]), { kind: 'invalid', message: why });
  });
