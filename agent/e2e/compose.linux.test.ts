/** The real `docker compose`: two services on a network of their own, a volume, health, a change. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type AgentProcess,
  type CliResult,
  type DockerCli,
  discardAgent,
  dockerCli,
  eventually,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';
import { patienceMs } from './patience.ts';

let agent: AgentProcess;
let docker: DockerCli;
let project: string;
before(async () => {
  agent = await startAgent(makeAgentDirectory());
  docker = dockerCli(agent.socket);
  project = join(agent.directory, 'project');
  mkdirSync(project);
});
after(() => discardAgent(agent));

function writeProject(greeting: string): void {
  const file = {
    name: 'shop',
    services: {
      db: {
        image: 'corten/starter',
        command: [
          'sh',
          '-c',
          'mkdir -p /www; cp /seed/page /www/; touch /ready; httpd -f -p 80 -h /www',
        ],
        volumes: ['data:/data', './seed:/seed:ro'],
        networks: ['back'],
        healthcheck: { test: ['CMD', 'test', '-e', '/ready'], interval: '200ms', retries: 300 },
        stop_grace_period: '0s',
      },
      web: {
        image: 'corten/starter',
        command: ['sh', '-c', 'wget -qO- http://db/page; echo "$$GREETING"; exec sleep 1000'],
        environment: { GREETING: greeting },
        networks: ['back'],
        depends_on: { db: { condition: 'service_healthy' } },
        stop_grace_period: '0s',
      },
    },
    networks: { back: {} },
    volumes: { data: {} },
  };
  // JSON is YAML.
  writeFileSync(join(project, 'compose.yaml'), JSON.stringify(file));
}

function compose(...words: string[]): Promise<CliResult> {
  return new Promise((done) => {
    const child = execFile(
      'docker-compose',
      ['--ansi', 'never', ...words],
      {
        cwd: project,
        timeout: 2 * patienceMs,
        env: {
          ...process.env,
          DOCKER_HOST: `unix://${agent.socket}`,
          DOCKER_CONFIG: join(tmpdir(), 'corten-e2e-no-config'),
        },
      },
      (error, stdout, stderr) =>
        done({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end();
  });
}

async function output(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await compose(...words);
  assert.equal(code, 0, `docker compose ${words.join(' ')}: ${stderr}`);
  return stdout.trim();
}

async function containerId(service: string): Promise<string> {
  return (await output('ps', '-q', service)).trim();
}

/** What a service says may come a moment after `up`. */
async function logged(service: string, pattern: RegExp): Promise<void> {
  await eventually(async () => {
    // compose clears each line first when it takes the place for a terminal.
    const text = (await output('logs', '--no-log-prefix', service)).replaceAll('\x1b[2K', '');
    assert.match(text, pattern);
  });
}

test('up waits for health, and the services reach each other by name', async () => {
  mkdirSync(join(project, 'seed'));
  writeFileSync(join(project, 'seed/page'), 'from the database\n');
  writeProject('hello');
  await output('up', '-d');
  assert.match(await output('ps'), /shop-db-1 .*Up .*\(healthy\)/);
  assert.match(await output('ps', '--services', '--status', 'running'), /^(db\nweb|web\ndb)$/);
  await logged('web', /from the database\n.*hello/);
});

test('exec, with its exit code, and what it writes is kept in the volume', async () => {
  assert.equal(
    await output('exec', '-T', 'web', 'wget', '-qO-', 'http://shop-db-1/page'),
    'from the database',
  );
  assert.equal((await compose('exec', '-T', 'web', 'sh', '-c', 'exit 7')).code, 7);
  await output('exec', '-T', 'db', 'sh', '-c', 'echo kept > /data/file');
});

test('up again changes nothing; a changed service alone is made anew', async () => {
  const [db, web] = [await containerId('db'), await containerId('web')];
  await output('up', '-d');
  assert.deepEqual([await containerId('db'), await containerId('web')], [db, web]);
  writeProject('good evening');
  await output('up', '-d');
  assert.equal(await containerId('db'), db);
  assert.notEqual(await containerId('web'), web);
  await logged('web', /good evening/);
  const { stdout } = await docker('ps', '-a', '--format', '{{.Names}}');
  assert.deepEqual(stdout.trim().split('\n').sort(), ['shop-db-1', 'shop-web-1']);
});

test('down takes containers and network away and keeps the volume until -v', async () => {
  await output('down');
  assert.equal((await docker('ps', '-aq')).stdout, '');
  assert.doesNotMatch((await docker('network', 'ls')).stdout, /shop/);
  const kept = await output('run', '--rm', '--no-deps', '-T', 'db', 'cat', '/data/file');
  assert.equal(kept, 'kept');
  await output('down', '-v');
  assert.doesNotMatch((await docker('volume', 'ls')).stdout, /shop/);
});
