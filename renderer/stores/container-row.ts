/** What the table knows of a container, made from the engine's summary. */
import { allowedStates, type ContainerStatus } from '../../agent/contract/container.ts';
import type { ContainerSummary } from '../bridge/containers.ts';

export interface ContainerRow {
  id: string;
  name: string;
  image: string;
  command: string;
  createdAtMs: number;
  status: ContainerStatus;
  /** Docker's words, such as "Exited (137) 2 hours ago": only for the exit code. */
  exitCode: number | undefined;
  health: 'starting' | 'healthy' | 'unhealthy' | undefined;
  /** Compose project. */
  stack: string | undefined;
  ports: PortLink[];
  /** Volumes without a name of their own go away with their container. */
  anonymousVolumes: number;
}

export interface PortLink {
  containerPort: number;
  protocol: string;
  hostPort: number | undefined;
  hostAddress: string | undefined;
}

export function toRow(summary: ContainerSummary): ContainerRow {
  const words = summary.Status ?? '';
  return {
    id: summary.Id ?? '',
    name: (summary.Names?.[0] ?? '').replace(/^\//, ''),
    image: summary.Image ?? '',
    command: summary.Command ?? '',
    createdAtMs: (summary.Created ?? 0) * 1000,
    status: toStatus(summary.State),
    exitCode: exitCodeIn(words),
    health: healthIn(words),
    stack: summary.Labels?.['com.docker.compose.project'],
    ports: portLinks(summary.Ports ?? []),
    anonymousVolumes: (summary.Mounts ?? []).filter(
      (mount) => mount.Type === 'volume' && /^[0-9a-f]{64}$/.test(mount.Name ?? ''),
    ).length,
  };
}

/**
 * The address a browser opens for a port; undefined where none is published that it could reach.
 * `portsHere`: of a remote machine, whether its ports are on this computer's loopback.
 */
export function portAddress(port: PortLink, portsHere?: boolean): string | undefined {
  if (port.hostPort === undefined || port.protocol !== 'tcp' || portsHere === false)
    return undefined;
  const anywhere = portsHere || ['0.0.0.0', '::', '', undefined].includes(port.hostAddress);
  const address = anywhere ? 'localhost' : port.hostAddress;
  const scheme = port.containerPort === 443 || port.containerPort === 8443 ? 'https' : 'http';
  return `${scheme}://${address?.includes(':') ? `[${address}]` : address}:${port.hostPort}/`;
}

function portLinks(ports: NonNullable<ContainerSummary['Ports']>): PortLink[] {
  const seen = new Map<string, PortLink>();
  for (const port of ports) {
    // The same port is listed once for IPv4 and once for IPv6.
    const key = `${port.PublicPort ?? ''}:${port.PrivatePort}/${port.Type}`;
    if (seen.has(key)) continue;
    seen.set(key, {
      containerPort: port.PrivatePort,
      protocol: port.Type,
      hostPort: port.PublicPort,
      hostAddress: port.IP,
    });
  }
  return [...seen.values()].sort((a, b) => a.containerPort - b.containerPort);
}

function toStatus(state: string | undefined): ContainerStatus {
  const known = [...allowedStates.restart, 'removing'] as const;
  return known.find((status) => status === state) ?? 'dead';
}

function exitCodeIn(words: string): number | undefined {
  const code = /^Exited \((\d+)\)/.exec(words)?.[1];
  return code === undefined ? undefined : Number(code);
}

function healthIn(words: string): ContainerRow['health'] {
  if (words.includes('(healthy)')) return 'healthy';
  if (words.includes('(unhealthy)')) return 'unhealthy';
  return words.includes('(health: starting)') ? 'starting' : undefined;
}
