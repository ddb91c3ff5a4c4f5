/** Whether containers get this computer's proxies is a setting of each machine, sent to its engine at once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { until } from '../../../agent/e2e/until.ts';
import { createForwarding } from '../forwarding/forwarding.ts';
import { standIn } from '../qemu/testdata/stand-in.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-choice-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('the setting of a machine is what its engine is told, from its start on and when it changes', async () => {
  const { companion } = createForwarding({
    apiSocketPath: join(directory, 'docker.sock'),
    contextName: 'corten-choice-test',
    isGuest: true,
    environment: { DOCKER_CONFIG: join(directory, 'docker'), https_proxy: 'http://proxy.example' },
  });
  assert.ok(companion);
  const made = standIn({}, { companions: [companion] });
  const told = () =>
    made
      .asked()
      .filter(({ put }) => String(put).endsWith('/machine/proxies'))
      .map(({ body }) => JSON.parse(String(body)));
  const untilTold = (containers: boolean) =>
    until(
      () => told().at(-1)?.containers === containers,
      () => `${containers} is told after ${JSON.stringify(told())}`,
    );
  try {
    assert.equal((await made.machine.start()).status, 'running');
    await untilTold(false);
    const change = { proxiesInContainers: true };
    assert.equal((await made.machine.controls!.change(change)).settings.proxiesInContainers, true);
    await untilTold(true);
    assert.deepEqual(told().at(-1), { https: 'http://proxy.example', containers: true });
    await made.machine.stop();
    made.forget();
    assert.equal((await made.machine.start()).status, 'running');
    await untilTold(true);
    await assert.rejects(
      async () => made.machine.controls!.change({ proxiesInContainers: 'yes' as never }),
      /true or false/,
    );
  } finally {
    await made.remove();
  }
});
