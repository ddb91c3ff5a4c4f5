import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyForm, type Form, toCreateRequest } from './form.ts';
import { parseRunLine } from './parse-run.ts';
import { toRunLine } from './run-line.ts';
import { quoteWord, splitWords } from './shell-words.ts';

const MiB = 1024 ** 2;

/** Without the rows' keys, which only tell React's rows apart. */
function bare(form: Form): unknown {
  return JSON.parse(JSON.stringify(form, (name, value) => (name === 'key' ? undefined : value)));
}

test('a pasted line fills the form', () => {
  const { form, ignored } = parseRunLine(`docker run -dit --name web \\
    -p 127.0.0.1:8080:80 -p53:53/udp -e GREETING="hello world" --env=EMPTY= -v data:/data:ro \\
    --mount type=bind,src=/srv,dst=/srv,readonly -m 256m --cpus=1.5 --pids-limit 100 \\
    --restart on-failure:3 --network none nginx:1.27 nginx -g 'daemon off;'`)!;
  assert.deepEqual(ignored, []);
  assert.deepEqual(bare(form), {
    ...(bare(emptyForm('nginx:1.27')) as object),
    name: 'web',
    terminal: true,
    openStdin: true,
    ports: [
      { host: '127.0.0.1:8080', container: '80', protocol: 'tcp' },
      { host: '53', container: '53', protocol: 'udp' },
    ],
    env: [
      { name: 'GREETING', value: 'hello world' },
      { name: 'EMPTY', value: '' },
    ],
    mounts: [
      { source: 'data', target: '/data', readOnly: true },
      { source: '/srv', target: '/srv', readOnly: true },
    ],
    memoryBytes: 256 * MiB,
    cpus: 1.5,
    pids: 100,
    restart: 'on-failure',
    restartRetries: 3,
    network: 'none',
    command: "nginx -g 'daemon off;'",
  });
});

test('the line of a form reads back as the same form', () => {
  const form: Form = {
    ...emptyForm('host:5000/a/b@sha256:00'),
    name: 'it-is',
    command: `sh -c 'echo "it'\\''s $HOME"'`,
    entrypoint: '/bin/tini',
    env: [{ key: 1, name: 'A', value: `quote ' and "` }],
    ports: [{ key: 2, host: '', container: '80', protocol: 'tcp' }],
    mounts: [{ key: 3, source: '', target: '/cache', readOnly: false }],
    restart: 'unless-stopped',
    cpus: 0.5,
    cpuset: '0-1',
    memoryBytes: 6 * MiB,
    memoryWithSwapBytes: -1,
    labels: ['a=b'],
    tmpfs: ['/tmp:size=8m'],
    addCapabilities: ['NET_ADMIN'],
    init: true,
    readOnlyRootfs: true,
    diskBytes: 10 * 1024 * MiB,
    diskInodes: 100_000,
    root: 'own',
    securityOptions: ['no-new-privileges'],
  };
  const parsed = parseRunLine(toRunLine(form))!;
  assert.deepEqual(bare(parsed.form), bare(form));
  assert.deepEqual(parsed.ignored, []);
});

test('a disk limit and whose root it is are read in every way they are written', () => {
  const read = (options: string) => {
    const { form, ignored } = parseRunLine(`docker run ${options} img`)!;
    return [form.diskBytes, form.diskInodes, form.root, form.securityOptions, ignored];
  };
  assert.deepEqual(read('--storage-opt size=64m --userns=host'), [
    64 * MiB,
    undefined,
    'machine',
    [],
    [],
  ]);
  assert.deepEqual(read('--storage-opt=inodes=500 --userns auto'), [undefined, 500, 'own', [], []]);
  assert.deepEqual(read('--storage-opt size=0 --security-opt userns:host'), [
    0,
    undefined,
    'machine',
    [],
    [],
  ]);
  const wrong = ['--storage-opt size=much', '--storage-opt inodes=', '--storage-opt dm.fs=xfs'];
  for (const option of [...wrong, '--userns private', '--security-opt userns=me'])
    assert.deepEqual(read(option), [undefined, undefined, undefined, [], [option]]);
});

test('a disk limit and whose root it is go out in Docker’s words, or not at all', () => {
  const sent = (change: Partial<Form>) => {
    const host = toCreateRequest({ ...emptyForm('img'), ...change }).HostConfig;
    return [host?.StorageOpt, host?.UsernsMode];
  };
  assert.deepEqual(sent({}), [undefined, undefined]);
  assert.deepEqual(sent({ diskBytes: 64 * MiB, root: 'own' }), [{ size: '67108864' }, 'auto']);
  assert.deepEqual(sent({ diskBytes: 0, diskInodes: 500, root: 'machine' }), [
    { size: '0', inodes: '500' },
    'host',
  ]);
  assert.match(toRunLine({ ...emptyForm('img'), diskBytes: 0 }), /--storage-opt size=0 /);
  assert.match(
    toRunLine({ ...emptyForm('img'), root: 'own', diskBytes: 64 * MiB }),
    /--storage-opt size=64m --security-opt userns=auto img/,
  );
  assert.match(toRunLine({ ...emptyForm('img'), root: 'machine' }), /--userns=host img/);
});

test('what has no place is named, and takes its value with it', () => {
  const { form, ignored } = parseRunLine('docker run --gpus all --zzz --memory lots -p x img')!;
  assert.equal(form.image, 'img');
  assert.deepEqual(ignored, ['--gpus all', '--zzz', '--memory lots', '-p x']);
});

test('other lines are no run lines', () => {
  for (const line of ['', 'ls -l', 'docker ps', 'docker'])
    assert.equal(parseRunLine(line), undefined);
});

test('words are cut and quoted as a shell does', () => {
  assert.deepEqual(splitWords(`a 'b c' "d \\"e\\" $f" g\\ h '' i'j'"k"`), [
    'a',
    'b c',
    'd "e" $f',
    'g h',
    '',
    'ijk',
  ]);
  for (const word of ['', 'a b', "it's", '$x', '-p', 'a=b:c'])
    assert.deepEqual(splitWords(quoteWord(word)), [word]);
});

test('the request carries ports, binds and limits in Docker’s words', () => {
  const { form } = parseRunLine(
    'docker run -p 127.0.0.1:8080:80 -p 9000 -v /a:/b:ro -v /anonymous --cpus 0.3 -m 64m img',
  )!;
  const request = toCreateRequest(form);
  assert.deepEqual(request.HostConfig?.PortBindings, {
    '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }],
    '9000/tcp': [{ HostIp: '', HostPort: '' }],
  });
  assert.deepEqual(request.HostConfig?.Binds, ['/a:/b:ro']);
  assert.equal(request.HostConfig?.Mounts?.[0]?.Target, '/anonymous');
  assert.equal(request.HostConfig?.NanoCpus, 300_000_000);
  assert.equal(request.HostConfig?.Memory, 64 * MiB);
  assert.equal(request.Cmd, undefined);
});
