/** What a running container has by its networks, as it joins and leaves them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type AgentProcess,
  discardAgent,
  dockerCli,
  eventually,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';

const image = 'corten/starter';
let agent: AgentProcess;
let output: ReturnType<typeof dockerCli>['output'];

before(async () => {
  agent = await startAgent(makeAgentDirectory());
  ({ output } = dockerCli(agent.socket));
  await output('network', 'create', '--internal', 'inner');
  await output('network', 'create', 'front');
});
after(() => discardAgent(agent));

const inside = (...command: string[]) => output('exec', 'web', ...command);
const gateway = (network: string) =>
  output('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Gateway}}', network);
const address = (network: string) =>
  output('inspect', '-f', `{{.NetworkSettings.Networks.${network}.IPAddress}}`, 'web');

test('a container that leaves its first network uses the next that is not internal', async () => {
  const serve = 'echo served >/index.html; httpd -f -p 80 -h /';
  await output('run', '-d', '--name', 'web', '-p', '8080:80', image, 'sh', '-c', serve);
  for (const network of ['inner', 'front']) await output('network', 'connect', network, 'web');
  assert.match(await inside('ip', 'route'), /^default via .* dev eth0/);
  const bridgeAddress = await address('bridge');
  await output('network', 'disconnect', 'bridge', 'web');

  const front = await gateway('front');
  assert.match(await inside('ip', 'route'), new RegExp(`^default via ${front} dev eth2`));
  assert.match(await inside('cat', '/etc/resolv.conf'), new RegExp(await gateway('inner')));
  assert.equal(await output('port', 'web', '80'), '0.0.0.0:8080');
  const get = ['wget', '-T5', '-qO-', `http://${front}:8080/index.html`];
  await eventually(async () =>
    assert.equal(await output('run', '--rm', '--network', 'front', image, ...get), 'served'),
  );

  // Whoever gets the address that was left must not get the port with it.
  const heir = ['run', '-d', '--name', 'heir', '--ip', bridgeAddress];
  await output(...heir, image, 'sh', '-c', 'echo heir >/index.html; httpd -f -p 80 -h /');
  assert.equal(await output('run', '--rm', '--network', 'front', image, ...get), 'served');
  await output('rm', '-f', 'heir');

  await output('network', 'disconnect', 'front', 'web');
  assert.doesNotMatch(await inside('ip', 'route'), /default/);
  assert.equal(await output('port', 'web'), '');
  await output('network', 'connect', 'front', 'web');
  assert.match(await inside('ip', 'route'), new RegExp(`^default via ${front} `));
  assert.equal(await output('port', 'web', '80'), '0.0.0.0:8080');
  await output('rm', '-f', 'web');
});

test('a container whose first network is internal leaves the machine by its second', async () => {
  const networks = ['--network', 'inner', '--network', 'front'];
  await output('run', '-d', '--name', 'both', ...networks, '-p', '8081:80', image, 'sleep', '1000');
  assert.match(
    await output('exec', 'both', 'ip', 'route'),
    new RegExp(`^default via ${await gateway('front')} `),
  );
  assert.equal(await output('port', 'both', '80'), '0.0.0.0:8081');
  const serve = 'echo served >/index.html; httpd -p 80 -h /';
  await output('exec', 'both', 'sh', '-c', serve);
  const front = await gateway('front');
  const get = ['wget', '-T5', '-qO-', `http://${front}:8081/index.html`];
  const served = async () =>
    assert.equal(await output('run', '--rm', '--network', 'front', image, ...get), 'served');
  await served();
  // The next agent leads the port to the same place.
  await agent.end('SIGKILL');
  agent = await startAgent(agent.directory);
  ({ output } = dockerCli(agent.socket));
  await served();
  await output('rm', '-f', 'both');
});

test('a connection by which a port would be published that is taken is refused, and nothing of it stays', async () => {
  await output('run', '-d', '--name', 'first', '-p', '8082:80', image, 'sleep', '1000');
  const inner = ['--network', 'inner', '-p', '8082:80'];
  await output('run', '-d', '--name', 'second', ...inner, image, 'sleep', '1000');
  const { code, stderr } = await dockerCli(agent.socket)('network', 'connect', 'front', 'second');
  assert.equal(code, 1);
  assert.match(stderr, /8082 failed: port is already allocated/);
  const networks = [
    'inspect',
    '-f',
    '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}',
  ];
  assert.equal(await output(...networks, 'second'), 'inner');
  assert.doesNotMatch(await output('exec', 'second', 'ip', 'route'), /default/);
  const front = (await gateway('front')).replace(/[.]\d+$/, '.');
  assert.ok(!(await output('exec', 'second', 'cat', '/etc/hosts')).includes(front));
  await output('rm', '-f', 'first');
  await output('network', 'connect', 'front', 'second');
  assert.equal(await output('port', 'second', '80'), '0.0.0.0:8082');
  await output('rm', '-f', 'second');
});
