/**
 * Translates a ContainerView to Docker's inspect document. What the client sent comes from the create request; state,
 * mounts, networks and limits come from the engine.
 */
import type { ContainerState, ContainerView } from '../../contract/container.ts';
import type {
  ContainerConfig,
  ContainerInspectResponse,
  DriverData,
  ContainerState as WireState,
} from '../../contract/docker.ts';
import type { ImageConfig } from '../../contract/image.ts';
import { rfc3339 } from '../timestamps.ts';
import type { Wire } from '../wire.ts';
import { hostConfigOf } from './host-config.ts';
import { isUp } from './is-up.ts';
import { mountPoints } from './mount-points.ts';
import { networkSettings } from './network-settings.ts';

/** Returns the configuration of an image, if the store still has it. */
export type ImageConfigLookup = (imageId: string) => ImageConfig | undefined;

export function inspectDocument(
  view: ContainerView,
  imageConfig: ImageConfigLookup,
  execIds: readonly string[] = [],
): Wire<ContainerInspectResponse> {
  return {
    Id: view.id,
    Created: rfc3339(view.createdAt),
    Path: view.process.path,
    Args: view.process.args,
    State: stateDocument(view.state),
    Image: view.imageId,
    ResolvConfPath: view.files.resolvConf,
    HostnamePath: view.files.hostname,
    HostsPath: view.files.hosts,
    // Readers expect dockerd's JSON, but Corten's log is framed; moby's `local` driver returns an empty path too.
    LogPath: '',
    Name: `/${view.name}`,
    RestartCount: view.state.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: execIds.length === 0 ? null : [...execIds],
    HostConfig: hostConfigOf(view),
    GraphDriver: overlayData(view.rootfs, view.id),
    Mounts: mountPoints(view),
    Config: configOf(view, imageConfig(view.imageId) ?? {}),
    NetworkSettings: networkSettings(view),
  };
}

/** Labels as dockerd shows and filters them: the container's own override the image's. */
export function labelsOf(
  view: ContainerView,
  imageConfig: ImageConfigLookup,
): Record<string, string> {
  return { ...imageConfig(view.imageId)?.Labels, ...view.settings.labels };
}

/** Default hostname of a container (moby container.go). */
export function hostnameOf(view: ContainerView): string {
  return view.settings.hostname ?? view.id.slice(0, 12);
}

function stateDocument(state: ContainerState): WireState {
  const document: WireState = {
    Status: state.status,
    Running: isUp(state.status),
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: state.status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: rfc3339(state.startedAt),
    FinishedAt: rfc3339(state.finishedAt),
  };
  // The field must be absent without a health check: compose checks for that.
  if (state.health !== undefined) document.Health = healthDocument(state.health);
  return document;
}

function healthDocument(health: NonNullable<ContainerState['health']>): WireState['Health'] {
  return {
    Status: health.status,
    FailingStreak: health.failingStreak,
    Log: health.log.map(({ start, end, exitCode, output }) => ({
      Start: start,
      End: rfc3339(end),
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

function configOf(view: ContainerView, image: ImageConfig): ContainerConfig {
  const { settings, process, origin } = view;
  const command = [process.path, ...process.args];
  const entrypoint = settings.entrypoint ?? image.Entrypoint ?? null;
  const config: Record<string, unknown> = {
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    OnBuild: null,
    ...origin.config,
    Hostname: hostnameOf(view),
    Domainname: settings.domainname ?? '',
    User: settings.user ?? image.User ?? '',
    Tty: settings.terminal,
    OpenStdin: settings.openStdin,
    StdinOnce: settings.stdinOnce,
    Env: process.env,
    Cmd: settings.args ?? (entrypoint === null ? command : command.slice(entrypoint.length)),
    Image: settings.image,
    Volumes: orNull({ ...image.Volumes, ...objectOf(origin.config.Volumes) }),
    WorkingDir: settings.workingDirectory ?? image.WorkingDir ?? '',
    Entrypoint: entrypoint?.length === 0 ? null : entrypoint,
    Labels: { ...image.Labels, ...settings.labels },
  };
  const ports = [...Object.keys(image.ExposedPorts ?? {}), ...settings.network.exposedPorts];
  const published = settings.network.ports.map((port) => `${port.containerPort}/${port.protocol}`);
  const exposed = orNull(Object.fromEntries([...ports, ...published].map((port) => [port, {}])));
  if (exposed !== null) config.ExposedPorts = exposed;
  const stopSignal = settings.stopSignal ?? image.StopSignal;
  if (stopSignal !== undefined) config.StopSignal = stopSignal;
  const health = origin.config.Healthcheck ?? image.Healthcheck;
  if (health !== undefined && health !== null) config.Healthcheck = health;
  return config as ContainerConfig;
}

export function overlayData(rootfs: ContainerView['rootfs'], id: string): DriverData {
  return {
    Name: 'overlay2',
    Data: {
      ID: id,
      LowerDir: rootfs.lowers.join(':'),
      // The merged directory is mounted only in the container's mount namespace.
      MergedDir: '',
      UpperDir: rootfs.upper,
      WorkDir: rootfs.work,
    },
  };
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function orNull<T>(object: Record<string, T>): Record<string, T> | null {
  return Object.keys(object).length === 0 ? null : object;
}
