/** The configuration of a committed image: the requested values, or else the container's. */

import { withoutThoseOf } from '../../contract/environment.ts';
import type { ImageConfig } from '../../contract/image.ts';
import type { ContainerRecord } from '../state/container-record.ts';

/**
 * Leaves out `machineEnv`, the variables that the machine added, such as a proxy with its password.
 */
export function configOfContainer(
  { settings, origin }: Pick<ContainerRecord, 'settings' | 'origin'>,
  image: ImageConfig,
  machineEnv: readonly string[],
): ImageConfig {
  const ofMachine = new Set(machineEnv.filter((entry) => !image.Env?.includes(entry)));
  const { entrypoint, args, user, workingDirectory, stopSignal } = settings;
  const published = settings.network.ports.map(
    ({ containerPort, protocol }) => `${containerPort}/${protocol}`,
  );
  const ports = [...settings.network.exposedPorts, ...published];
  const volumes = { ...image.Volumes, ...(origin.config.Volumes as ImageConfig['Volumes']) };
  const health = (origin.config.Healthcheck as ImageConfig['Healthcheck']) ?? image.Healthcheck;
  return {
    ...(user && { User: user }),
    ...(ports.length > 0 && {
      ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])),
    }),
    Env: settings.env.filter((entry) => !ofMachine.has(entry)),
    ...(entrypoint && entrypoint.length > 0 && entrypoint[0] !== '' && { Entrypoint: entrypoint }),
    ...(args && { Cmd: args }),
    ...(Object.keys(volumes).length > 0 && { Volumes: volumes }),
    ...(workingDirectory && { WorkingDir: workingDirectory }),
    Labels: settings.labels,
    ...(stopSignal && { StopSignal: stopSignal }),
    ...(health && { Healthcheck: health }),
    ...(image.Shell && { Shell: image.Shell }),
    ...(image.OnBuild && { OnBuild: image.OnBuild }),
  };
}

/** Fills values missing in `asked` from the container (moby daemon/commit.go, merge). */
export function completed(asked: ImageConfig, container: ImageConfig): ImageConfig {
  const hasEntrypoint = (asked.Entrypoint ?? []).length > 0;
  const hasCmd = (asked.Cmd ?? []).length > 0;
  const { Env: own = [] } = asked;
  const Entrypoint = asked.Entrypoint ?? container.Entrypoint;
  // The container's arguments belong to its own entrypoint.
  const Cmd = hasEntrypoint || hasCmd ? asked.Cmd : container.Cmd;
  return {
    ...container,
    ...asked,
    User: asked.User || container.User,
    WorkingDir: asked.WorkingDir || container.WorkingDir,
    StopSignal: asked.StopSignal || container.StopSignal,
    ExposedPorts: joined(container.ExposedPorts, asked.ExposedPorts),
    Volumes: joined(container.Volumes, asked.Volumes),
    Labels: { ...container.Labels, ...asked.Labels },
    Env: [...own, ...withoutThoseOf(container.Env ?? [], own)],
    Entrypoint,
    Cmd,
  };
}

function joined<T>(
  one: Record<string, T> | undefined,
  other: Record<string, T> | undefined,
): Record<string, T> | undefined {
  const both = { ...one, ...other };
  return Object.keys(both).length === 0 ? undefined : both;
}
