import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CortenError } from '../../errors.ts';
import { SourceFailure } from '../front-end.ts';
import { build, graphOf, linux, only } from './testdata/fake-bridge.ts';

const alpine = 'docker.io/library/alpine:latest';

test('a multi-stage file becomes a graph and a configuration', async () => {
  const { result, resolved } = await build({
    dockerfile: [
      'FROM alpine AS build',
      'WORKDIR /src',
      'COPY main.c lib/ ./',
      'RUN make',
      'FROM alpine AS result',
      'ENV MODE=fast',
      'COPY --from=build /src/main /usr/bin/',
      'CMD ["main"]',
      'FROM alpine AS unused',
      'RUN never',
    ].join('\n'),
    options: { target: 'result' },
  });
  const { graph, image, platform } = only(result);
  assert.deepEqual([...result.results.keys()], ['linux/amd64']);
  assert.equal(platform.Architecture, 'amd64');
  assert.equal(result.isMultiPlatform, false);
  assert.equal(resolved[0]!.logName, `[internal] load metadata for ${alpine}`);
  assert.deepEqual(
    graph.names.map((name) => name.replace(/@sha256:.*/, '')),
    [
      `[build 1/4] FROM ${alpine}`,
      '[build 2/4] WORKDIR /src',
      '[internal] load build context',
      '[build 3/4] COPY main.c lib/ ./',
      '[build 4/4] RUN make',
      '[result 2/2] COPY --from=build /src/main /usr/bin/',
    ],
  );
  assert.equal(graph.head.name, '[result 2/2] COPY --from=build /src/main /usr/bin/');
  assert.deepEqual(image.config.Env, ['PATH=/bin', 'HOME=/root', 'MODE=fast']);
  assert.deepEqual(image.config.Cmd, ['main']);
  assert.equal(image.created, undefined);
  assert.deepEqual(image.history.slice(1), [
    { created_by: 'ENV MODE=fast', comment: 'buildkit.dockerfile.v0', empty_layer: true },
    { created_by: 'COPY /src/main /usr/bin/ # buildkit', comment: 'buildkit.dockerfile.v0' },
    { created_by: 'CMD ["main"]', comment: 'buildkit.dockerfile.v0', empty_layer: true },
  ]);
});

test('the same file twice is the same graph', async () => {
  const given = { dockerfile: 'FROM alpine\nCOPY a b /c/\nRUN --mount=type=tmpfs,target=/t x' };
  const [one, other] = [only((await build(given)).result), only((await build(given)).result)];
  assert.deepEqual(one.definition!.def, other.definition!.def);
});

test('what RUN becomes', async () => {
  const { result } = await build({
    dockerfile: 'FROM alpine\nARG VERSION=1\nUSER app\nWORKDIR /w\nRUN echo $VERSION',
    options: { 'add-hosts': 'db=10.0.0.1', hostname: 'h', 'build-arg:HTTP_PROXY': 'http://p' },
  });
  const { graph, image } = only(result);
  const { op, inputs } = graph.step('RUN echo 1');
  assert.equal(op.platform?.Architecture, 'amd64');
  assert.deepEqual(inputs, [graph.step('WORKDIR').digest]);
  assert.ok(op.op.case === 'exec');
  const { meta, mounts, network } = op.op.value;
  assert.deepEqual(meta!.args, ['/bin/sh', '-c', 'echo $VERSION']);
  assert.deepEqual(meta!.env, ['PATH=/bin', 'HOME=/root', 'VERSION=1']);
  assert.equal(meta!.cwd, '/w');
  assert.equal(meta!.user, 'app');
  assert.equal(meta!.hostname, 'h');
  assert.equal(meta!.proxyEnv?.httpProxy, 'http://p');
  assert.equal(meta!.removeMountStubsRecursive, true);
  assert.deepEqual(
    meta!.extraHosts.map(({ Host, IP }) => [Host, IP]),
    [['db', '10.0.0.1']],
  );
  assert.equal(network, 0);
  assert.deepEqual(
    mounts.map(({ dest, input, output }) => [dest, input, output]),
    [['/', 0n, 0n]],
  );
  assert.equal(
    image.history.at(-1)!.created_by,
    'RUN |1 VERSION=1 /bin/sh -c echo $VERSION # buildkit',
  );
});

test('what COPY and ADD become', async () => {
  const { result } = await build({
    dockerfile: [
      'FROM alpine',
      'WORKDIR /w',
      'COPY --chown=app:0 --chmod=0750 --exclude=*.md a b/ dir/',
      'ADD x.tar.gz /',
    ].join('\n'),
  });
  const { graph } = only(result);
  const context = graph.step('load build context');
  const copy = graph.step('COPY');
  assert.equal(copy.op.platform, undefined);
  assert.deepEqual(copy.inputs, [graph.step('WORKDIR').digest, context.digest]);
  assert.ok(copy.op.op.case === 'file');
  const [first, second] = copy.op.op.value.actions;
  assert.deepEqual([first!.input, first!.secondaryInput, first!.output], [0n, 1n, -1n]);
  assert.deepEqual([second!.input, second!.secondaryInput, second!.output], [2n, 1n, 0n]);
  assert.ok(first!.action.case === 'copy' && second!.action.case === 'copy');
  const { owner, $typeName: _, ...fields } = first!.action.value;
  assert.deepEqual(fields, {
    src: '/a',
    dest: '/w/dir/',
    mode: 0o750,
    modeStr: '',
    followSymlink: true,
    dirCopyContents: true,
    attemptUnpackDockerCompatibility: false,
    createDestPath: true,
    allowWildcard: true,
    allowEmptyWildcard: true,
    timestamp: -1n,
    includePatterns: [],
    excludePatterns: ['*.md'],
    alwaysReplaceExistingDestPaths: false,
    requiredPaths: [],
  });
  assert.deepEqual(owner!.user!.user.value, {
    $typeName: 'pb.NamedUserOpt',
    name: 'app',
    input: 0n,
  });
  assert.equal(owner!.group!.user.value, 0);
  assert.equal(second!.action.value.src, '/b');
  const add = graph.step('ADD').op.op;
  assert.ok(add.case === 'file' && add.value.actions[0]!.action.case === 'copy');
  assert.equal(add.value.actions[0]!.action.value.attemptUnpackDockerCompatibility, true);
  assert.equal(add.value.actions[0]!.action.value.mode, -1);
});

test('only what is used of the context is asked for, without what is ignored', async () => {
  const attributesOf = async (dockerfile: string, files: Record<string, string> = {}) =>
    graphOf(
      only((await build({ dockerfile, files: { 'local://context': files } })).result).definition!,
    ).step('load build context').op.op;
  const some = await attributesOf('FROM scratch\nCOPY b/ ./a*.c /\nADD https://h/x /', {
    '.dockerignore': '# no\n*.o\n!keep.o\n',
  });
  assert.ok(some.case === 'source');
  assert.deepEqual(some.value.attrs, {
    'local.session': 'session-1',
    'local.followpaths': '["a*.c","b/"]',
    'local.excludepatterns': '["*.o","!keep.o"]',
    'local.sharedkeyhint': 'context',
  });
  const all = await attributesOf('FROM scratch\nCOPY a /\nCOPY . /');
  assert.ok(all.case === 'source');
  assert.equal(all.value.attrs['local.followpaths'], undefined);
});

test("a Dockerfile's own ignore file comes before .dockerignore", async () => {
  const { result } = await build({
    dockerfile: 'FROM scratch\nCOPY . /',
    options: { filename: 'app.Dockerfile' },
    files: {
      'local://dockerfile': {
        'app.Dockerfile': 'FROM scratch\nCOPY . /',
        'app.Dockerfile.dockerignore': 'own',
      },
      'local://context': { '.dockerignore': 'other' },
    },
  });
  const { op } = only(result).graph.step('load build context').op;
  assert.ok(op.case === 'source');
  assert.equal(op.value.attrs['local.excludepatterns'], '["own"]');
});

const failures: [what: string, dockerfile: string, message: RegExp, place: [number, number]][] = [
  [
    'an unknown instruction',
    'FROM alpine\n\n  FORM b',
    /^dockerfile parse error on line 3: unknown instruction: FORM \(did you mean FROM\?\) at Dockerfile:3:3$/,
    [3, 2],
  ],
  [
    'an image that is not there',
    'FROM alpnie',
    /alpnie: .*not found \(did you mean alpine\?\)/,
    [1, 0],
  ],
  [
    'a stage that comes later',
    'FROM alpine AS a\nCOPY --from=b x y\nFROM alpine AS b\nRUN x',
    /cannot copy from stage "b", it needs to be defined before current stage "a"/,
    [2, 0],
  ],
  [
    'a stage that needs itself',
    'FROM alpine AS a\nCOPY --from=a x y',
    /circular dependency/,
    [2, 0],
  ],
  [
    'a stage number that is none',
    'FROM alpine\nCOPY --from=3 x y',
    /invalid stage index 3/,
    [2, 0],
  ],
  ['a variable in --from', 'FROM alpine\nCOPY --from=$A x y', /not supported for --from/, [2, 0]],
  ['an empty base', 'ARG B\nFROM $B', /base name \(\$B\) should not be blank/, [2, 0]],
  ['an unknown signal', 'FROM alpine\nSTOPSIGNAL HUPP', /HUPP/, [2, 0]],
  ['a port that is none', 'FROM alpine\nEXPOSE 70000', /invalid containerPort: 70000/, [2, 0]],
  ['a protocol that is none', 'FROM alpine\nEXPOSE 80/http', /invalid proto: http/, [2, 0]],
  [
    'a mode that is none',
    'FROM alpine\nCOPY --chmod=9 a b',
    /invalid chmod parameter: '9'/,
    [2, 0],
  ],
  [
    'a checksum for a file',
    'FROM alpine\nADD --checksum=sha256:1 a b',
    /checksum requires/,
    [2, 0],
  ],
  [
    'an address for COPY',
    'FROM alpine\nCOPY https://h/x /',
    /source can't be a URL for COPY/,
    [2, 0],
  ],
  ['a required value', 'FROM alpine\nENV A="${B:?set B}"', /B: set B/, [2, 0]],
  [
    'another front end',
    '# syntax=acme/magic:1\nFROM alpine',
    /the front end acme\/magic:1 cannot be run here/,
    [1, 0],
  ],
];

for (const [what, dockerfile, message, [line, character]] of failures)
  test(`names the place of ${what}`, async () => {
    // A stage that nobody needs would not be converted.
    const options: Record<string, string> = dockerfile.includes('AS a') ? { target: 'a' } : {};
    await assert.rejects(build({ dockerfile, options }), (error) => {
      assert.ok(error instanceof SourceFailure, String(error));
      assert.match(error.message, message);
      assert.equal(error.info.filename, 'Dockerfile');
      assert.equal(Buffer.from(error.info.data).toString(), dockerfile);
      assert.deepEqual(
        [error.ranges[0]!.start!.line, error.ranges[0]!.start!.character],
        [line, character],
      );
      return true;
    });
  });

test('a failing step can be found in the file', async () => {
  const { result } = await build({ dockerfile: 'FROM alpine\nRUN a \\\n  b\n' });
  const { definition, graph } = only(result);
  const { locations, infos } = definition!.Source!;
  const [location] = locations[graph.step('RUN').digest]!.locations;
  assert.deepEqual([location!.ranges[0]!.start!.line, location!.ranges[0]!.end!.line], [2, 3]);
  assert.equal(infos[location!.sourceIndex]!.filename, 'Dockerfile');
});

test('without a Dockerfile the name that was looked for is told', async () => {
  await assert.rejects(
    build({ dockerfile: '', files: { 'local://dockerfile': {} } }),
    (error) =>
      error instanceof CortenError &&
      error.kind === 'not-found' &&
      /open Dockerfile: no such file.*--file/.test(error.message),
  );
  const lower = { 'local://dockerfile': { dockerfile: 'FROM alpine' } };
  await build({ dockerfile: '', files: lower });
});

for (const syntax of [
  'docker/dockerfile:1',
  'docker/dockerfile:1.7-labs',
  'docker.io/docker/dockerfile',
])
  test(`serves # syntax=${syntax}`, async () => {
    await build({ dockerfile: `# syntax=${syntax}\nFROM alpine` });
  });

test('several platforms', async () => {
  const { result, resolved } = await build({
    dockerfile: [
      'FROM --platform=$BUILDPLATFORM alpine AS build',
      'ARG TARGETARCH',
      'RUN cross $TARGETARCH',
      'FROM alpine',
      'COPY --from=build /out /',
    ].join('\n'),
    options: { platform: 'linux/amd64,linux/arm64/v8' },
  });
  assert.equal(result.isMultiPlatform, true);
  assert.deepEqual([...result.results.keys()], ['linux/amd64', 'linux/arm64']);
  const arm = result.results.get('linux/arm64')!;
  assert.equal(
    (JSON.parse(Buffer.from(arm.config).toString()) as { architecture: string }).architecture,
    'arm64',
  );
  const { names } = graphOf(arm.definition!);
  assert.ok(names.includes('[linux/amd64->arm64 build 2/2] RUN cross arm64'), names.join('\n'));
  assert.ok(names.includes('[linux/arm64 stage-1 2/2] COPY --from=build /out /'), names.join('\n'));
  assert.ok(
    resolved.some(
      ({ logName }) => logName === `[linux/arm64 internal] load metadata for ${alpine}`,
    ),
  );
});

test('an image for another platform decides when the client does not say', async () => {
  const { result } = await build({
    dockerfile: 'FROM alpine\nLABEL a=b',
    options: { platform: 'linux/arm/v7' },
  });
  const { image, platform } = only(result);
  assert.deepEqual([image.architecture, image.variant], ['arm', 'v7']);
  assert.deepEqual(platform, linux('arm', 'v7'));
});

test('nothing but a configuration is the empty tree', async () => {
  const { result } = await build({ dockerfile: 'FROM scratch\nCMD ["x"]' });
  const [{ definition, config }] = [...result.results.values()] as [
    typeof result extends { results: Map<string, infer Value> } ? Value : never,
  ];
  assert.equal(definition, undefined);
  const image = JSON.parse(Buffer.from(config).toString()) as { config: { Env: string[] } };
  assert.deepEqual(image.config.Env, [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  ]);
});

test('stages without cache', async () => {
  const dockerfile = 'FROM alpine AS a\nRUN one\nFROM a AS b\nCOPY x y';
  const ignored = async (noCache: string) => {
    const { definition, graph } = only(
      (await build({ dockerfile, options: { 'no-cache': noCache } })).result,
    );
    return graph.steps
      .filter(({ digest }) => definition!.metadata[digest]!.ignoreCache)
      .map(({ name }) => name);
  };
  assert.deepEqual(await ignored('b'), ['[b 1/1] COPY x y']);
  assert.deepEqual(await ignored(''), ['[a 2/2] RUN one', '[b 1/1] COPY x y']);
});

test('labels of the client, and the time that it sets', async () => {
  const { result } = await build({
    dockerfile: 'FROM alpine\nLABEL a=1 b=2\nWORKDIR /w',
    options: { 'label:b': '3', 'build-arg:SOURCE_DATE_EPOCH': '1700000000' },
  });
  const { image, graph } = only(result);
  assert.deepEqual(image.config.Labels, { a: '1', b: '3' });
  assert.equal(image.history.at(-1)!.created, '2023-11-14T22:13:20Z');
  const { op } = graph.step('WORKDIR').op;
  assert.ok(op.case === 'file' && op.value.actions[0]!.action.case === 'mkdir');
  assert.equal(op.value.actions[0]!.action.value.timestamp, 1_700_000_000_000_000_000n);
});
