/** Runs `/bin/true` in a running container. */
import type { EngineClient } from '../peers/engine-client.ts';
import { type Engine, starterImage } from '../peers/engines.ts';
import { goal, measureInTurns, type Result } from './measure.ts';

export async function benchExec(engines: Engine[], runs: number): Promise<Result[]> {
  const containers = await Promise.all(engines.map(({ client }) => startSleeper(client)));
  const measurements = await measureInTurns(
    engines.map(({ name, client }, index) => ({
      name,
      run: () => execTrue(client, containers[index] ?? ''),
    })),
    runs,
  );
  await Promise.all(
    engines.map(({ client }, index) =>
      client.call('DELETE', `/containers/${containers[index]}?force=1`),
    ),
  );
  return [
    {
      benchmark: 'exec',
      what: 'exec /bin/true in a running container',
      unit: 'ms',
      measurements,
      goals: goal(measurements, 'dockerd', 1 / 10, 'under 1/10 of dockerd'),
    },
  ];
}

export async function startSleeper(client: EngineClient): Promise<string> {
  const { Id: id } = (await client.call('POST', '/containers/create', {
    Image: starterImage,
    Cmd: ['sleep', '100000'],
    HostConfig: { NetworkMode: 'none' },
  })) as { Id: string };
  await client.call('POST', `/containers/${id}/start`);
  return id;
}

async function execTrue(client: EngineClient, container: string): Promise<void> {
  const { Id: id } = (await client.call('POST', `/containers/${container}/exec`, {
    Cmd: ['/bin/true'],
    AttachStdout: true,
    AttachStderr: true,
  })) as { Id: string };
  await client.drain('POST', `/exec/${id}/start`, { Detach: false, Tty: false });
  const { ExitCode: code } = (await client.call('GET', `/exec/${id}/json`)) as { ExitCode: number };
  if (code !== 0) throw new Error(`exec ended with ${code}`);
}
