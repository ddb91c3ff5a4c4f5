/** The context as the docker CLI itself reads it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { DockerContext } from './docker-context.ts';

const host = 'unix:///tmp/corten-context-test.sock';
let directory: string;
let environment: NodeJS.ProcessEnv;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'corten-context-'));
  environment = { PATH: process.env.PATH, DOCKER_CONFIG: join(directory, 'docker') };
});

afterEach(() => rmSync(directory, { recursive: true }));

test('set up, the CLI lists it and leaves the current one alone; removed, it is gone', () => {
  const context = make();
  assert.deepEqual(context.state(), { ...nothing, isSetUp: false });
  assert.deepEqual(context.setUp({ use: false }), { ...nothing, isSetUp: true });
  const [listed] = contexts().filter(({ Name }) => Name === 'corten');
  assert.equal(listed?.DockerEndpoint, host);
  assert.equal(listed?.Current, false);
  assert.deepEqual(context.remove(), { ...nothing, isSetUp: false });
  assert.deepEqual(names(), ['default']);
});

test('used, it is what a bare docker asks, and removing it gives the one before back', () => {
  docker('context', 'create', 'work', '--docker', 'host=tcp://192.0.2.1:2376');
  docker('context', 'use', 'work');
  const context = make();
  assert.equal(context.setUp({ use: true }).isCurrent, true);
  // The second time the context before is still "work", not our own.
  context.setUp({ use: true });
  assert.equal(docker('context', 'show'), 'corten');
  assert.equal(context.remove().isCurrent, false);
  assert.equal(docker('context', 'show'), 'work');
  assert.deepEqual(names(), ['default', 'work']);
});

test('a machine that was renamed keeps the context that it has, and loses it with its removal', () => {
  make().setUp({ use: true });
  const renamed = new DockerContext({ name: 'corten-other', host, environment });
  assert.deepEqual(renamed.state(), { ...nothing, isSetUp: true, isCurrent: true });
  renamed.remove();
  assert.deepEqual(names(), ['default']);
  assert.equal(renamed.setUp({ use: false }).name, 'corten-other');
});

test('without one before, or when that is gone, the default is given back', () => {
  const context = make();
  context.setUp({ use: true });
  context.remove();
  assert.equal(docker('context', 'show'), 'default');
  docker('context', 'create', 'work', '--docker', 'host=tcp://192.0.2.1:2376');
  docker('context', 'use', 'work');
  context.setUp({ use: true });
  docker('context', 'rm', 'work');
  context.remove();
  assert.equal(docker('context', 'show'), 'default');
});

test('a choice made later is not taken back', () => {
  const context = make();
  context.setUp({ use: true });
  docker('context', 'create', 'work', '--docker', 'host=tcp://192.0.2.1:2376');
  docker('context', 'use', 'work');
  context.remove();
  assert.equal(docker('context', 'show'), 'work');
});

test('a context of that name that is not ours is left alone', () => {
  docker('context', 'create', 'corten', '--docker', 'host=tcp://192.0.2.1:2376');
  const context = make();
  assert.equal(context.state().isSetUp, false);
  assert.throws(() => context.setUp({ use: true }), /did not make.*docker context rm corten/);
  assert.throws(() => context.remove(), /did not make/);
  assert.equal(
    contexts().find(({ Name }) => Name === 'corten')?.DockerEndpoint,
    'tcp://192.0.2.1:2376',
  );
});

test('what else is in config.json stays: passwords, mode, and the link that leads to it', () => {
  const kept = join(directory, 'dotfiles.json');
  mkdirSync(join(directory, 'docker'));
  writeFileSync(kept, '{"auths":{"r.example":{"auth":"c2VjcmV0"}},"psFormat":"x"}', {
    mode: 0o640,
  });
  symlinkSync(kept, join(directory, 'docker', 'config.json'));
  const context = make();
  context.setUp({ use: true });
  assert.deepEqual(JSON.parse(readFileSync(kept, 'utf8')), {
    auths: { 'r.example': { auth: 'c2VjcmV0' } },
    psFormat: 'x',
    currentContext: 'corten',
  });
  assert.equal(statSync(kept).mode & 0o777, 0o640);
  assert.ok(lstatSync(join(directory, 'docker', 'config.json')).isSymbolicLink());
});

test('a config.json that is broken is named and left as it is', () => {
  mkdirSync(join(directory, 'docker'));
  const path = join(directory, 'docker', 'config.json');
  writeFileSync(path, '{"auths":');
  assert.throws(() => make().setUp({ use: true }), /config\.json is not readable as JSON.*Repair/);
  assert.equal(readFileSync(path, 'utf8'), '{"auths":');
});

test('what makes the CLI ignore every context is told', () => {
  environment.DOCKER_HOST = 'unix:///elsewhere.sock';
  assert.equal(make().state().overriddenBy, 'DOCKER_HOST');
});

const nothing = { name: 'corten', host, isCurrent: false, overriddenBy: undefined };

function make(): DockerContext {
  return new DockerContext({ name: 'corten', host, environment });
}

function docker(...words: string[]): string {
  return execFileSync('docker', words, {
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

function contexts(): { Name: string; DockerEndpoint: string; Current: boolean }[] {
  return docker('context', 'ls', '--format', 'json')
    .split('\n')
    .map((line) => JSON.parse(line));
}

function names(): string[] {
  return contexts().map(({ Name }) => Name);
}
