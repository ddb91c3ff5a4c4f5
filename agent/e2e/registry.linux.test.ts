/** A real distribution, from a real registry, through the `docker` CLI: pull, run, push, login. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { cuttingProxy, startRegistry, type TestRegistry } from '../images/testdata/registry.ts';
import {
  type AgentProcess,
  type DockerCli,
  discardAgent,
  dockerCli,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';

/** Made by scripts/setup with mmdebstrap. */
const debianRoot = resolve(import.meta.dirname, '../../dist/debian-root.tar');

const directory = mkdtempSync(join(tmpdir(), 'corten-registry-'));
let registry: TestRegistry;
let locked: TestRegistry;
let agent: AgentProcess;
let docker: DockerCli;

before(async () => {
  assert.ok(existsSync(debianRoot), 'scripts/setup test makes dist/debian-root.tar');
  registry = await startRegistry(join(directory, 'open'));
  locked = await startRegistry(join(directory, 'locked'), { password: true });
  buildDebianImage(join(directory, 'layout'));
  copyToRegistry('debian:trixie', 'gzip');
  copyToRegistry('debian:zstd', 'zstd');
  agent = await startAgent(makeAgentDirectory());
  docker = dockerCli(agent.socket);
});
after(async () => {
  await discardAgent(agent);
  await registry.stop();
  await locked.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Three layers: the distribution, a change on top of it, and a deletion (a whiteout). */
function buildDebianImage(layout: string): void {
  const umoci = (...words: string[]) => execFileSync('umoci', words, { stdio: 'pipe' });
  const image = `${layout}:trixie`;
  umoci('init', '--layout', layout);
  umoci('new', '--image', image);
  const [root, added, removed] = ['root.tar', 'added.tar', 'removed.tar'].map((name) =>
    join(directory, name),
  );
  copyFileSync(debianRoot, root!);
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'opt'), { recursive: true });
  writeFileSync(join(tree, 'opt/kept'), 'kept\n');
  writeFileSync(join(tree, 'opt/gone'), 'gone\n');
  execFileSync('tar', ['-C', tree, '-cf', added!, 'opt']);
  const whiteout = join(directory, 'whiteout');
  mkdirSync(join(whiteout, 'opt'), { recursive: true });
  writeFileSync(join(whiteout, 'opt/.wh.gone'), '');
  execFileSync('tar', ['-C', whiteout, '-cf', removed!, 'opt']);
  for (const layer of [root!, added!, removed!]) umoci('raw', 'add-layer', '--image', image, layer);
  umoci('config', '--image', image, '--config.cmd', '/bin/bash', '--config.env', 'FROM=registry');
}

function copyToRegistry(name: string, compression: string): void {
  execFileSync('skopeo', [
    ...['--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false'],
    ...['--dest-compress-format', compression],
    `oci:${join(directory, 'layout')}:trixie`,
    `docker://${registry.domain}/${name}`,
  ]);
}

const output = (...words: string[]) => docker.output(...words);

test('Debian is pulled by tag, layer by layer, and runs', async () => {
  const name = `${registry.domain}/debian:trixie`;
  const told = await output('pull', name);
  assert.match(told, /Pulling from debian/);
  assert.equal(told.match(/Pull complete/g)?.length, 3);
  assert.match(told, /Digest: sha256:[0-9a-f]{64}/);
  assert.match(told, /Status: Downloaded newer image for/);
  const line = '. /etc/os-release; echo $ID $FROM; cat /opt/kept; ls /opt';
  assert.equal(
    await output('run', '--rm', name, 'bash', '-c', line),
    'debian registry\nkept\nkept',
  );
  assert.match(await output('pull', name), /Image is up to date/);
});

test('setuid bits, owners and links of the distribution survive', async () => {
  const name = `${registry.domain}/debian:trixie`;
  const line =
    'stat -c "%a %U:%G" /usr/bin/su /usr/sbin/unix_chkpwd; readlink /bin; dpkg --verify | head -3';
  assert.equal(
    await output('run', '--rm', name, 'sh', '-c', line),
    '4755 root:root\n2755 root:shadow\nusr/bin',
  );
});

test('by digest, and with zstd layers', async () => {
  const digests = await output(
    'images',
    '--digests',
    '--format',
    '{{.Digest}}',
    `${registry.domain}/debian`,
  );
  const digest = digests.split('\n')[0];
  assert.match(await output('pull', `${registry.domain}/debian@${digest}`), /Image is up to date/);
  const zstd = `${registry.domain}/debian:zstd`;
  assert.match(await output('pull', zstd), /Downloaded newer image|up to date/);
  assert.equal(await output('run', '--rm', zstd, 'cat', '/opt/kept'), 'kept');
});

test('a connection that is cut is taken up where it broke', async () => {
  const line = await cuttingProxy(registry.domain, [400_000, 3_000_000]);
  const other = await startAgent(makeAgentDirectory());
  const name = `${line.domain}/debian:trixie`;
  const { code, stdout, stderr } = await dockerCli(other.socket)('pull', name);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Downloaded newer image/);
  assert.equal(line.cutsLeft(), 0);
  await discardAgent(other);
  line.stop();
});

test('what is not there, and what may not be had, is said in words', async () => {
  const missing = await docker('pull', `${registry.domain}/no/such:image`);
  assert.notEqual(missing.code, 0);
  assert.match(missing.stderr, /not found|does not exist/);
  const nobody = await docker('pull', '127.0.0.1:1/x');
  assert.notEqual(nobody.code, 0);
  assert.match(nobody.stderr, /127\.0\.0\.1:1/);
  const secret = await docker('pull', `${locked.domain}/debian`);
  assert.notEqual(secret.code, 0);
  assert.match(secret.stderr, /unauthorized|denied|docker login/);
});

test('login, push and pull with a password', async () => {
  const config = join(directory, 'docker-config');
  const withConfig = (...words: string[]) => docker('--config', config, ...words);
  const wrong = await withConfig('login', '-u', 'ann', '-p', 'wrong', locked.domain);
  assert.notEqual(wrong.code, 0);
  const right = await withConfig('login', '-u', 'ann', '-p', 'secret', locked.domain);
  assert.equal(right.code, 0, right.stderr);
  const name = `${locked.domain}/mine/starter:1`;
  await output('tag', 'corten/starter', name);
  const pushed = await withConfig('push', name);
  assert.equal(pushed.code, 0, pushed.stderr);
  assert.match(pushed.stdout, /digest: sha256:[0-9a-f]{64}/);
  await output('rmi', name);
  const pulled = await withConfig('pull', name);
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.equal(await output('run', '--rm', name, 'echo', 'pulled'), 'pulled');
});

test('save, rmi and load bring the same image back', async () => {
  const name = `${registry.domain}/debian:trixie`;
  const archive = join(directory, 'saved.tar');
  const id = await output('images', '-q', '--no-trunc', name);
  await output('save', '-o', archive, name);
  await output('rmi', '-f', name, `${registry.domain}/debian:zstd`);
  assert.match(await output('load', '-i', archive), /Loaded image: /);
  assert.equal(await output('images', '-q', '--no-trunc', name), id);
  assert.equal(await output('run', '--rm', name, 'cat', '/opt/kept'), 'kept');
});
