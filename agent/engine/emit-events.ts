/** Emits events with Docker's actions and attributes (docs.docker.com/reference/api: SystemEvents). */
import type { MountView } from '../contract/container.ts';
import type { EventLog } from './event-log.ts';
import type { ContainerRecord } from './state/container-record.ts';

export function emitContainerEvent(
  events: EventLog,
  record: ContainerRecord,
  action: string,
  extra: Record<string, string> = {},
): void {
  events.emit({
    type: 'container',
    action,
    id: record.id,
    attributes: {
      ...record.settings.labels,
      image: record.settings.image,
      name: record.name,
      ...extra,
    },
  });
}

export function emitNetworkEvent(
  events: EventLog,
  network: { id: string; name: string; driver: string },
  action: string,
  container?: string,
): void {
  events.emit({
    type: 'network',
    action,
    id: network.id,
    attributes: {
      ...(container !== undefined && { container }),
      name: network.name,
      type: network.driver,
    },
  });
}

export function emitVolumeMountEvents(
  events: EventLog,
  record: ContainerRecord,
  action: 'mount' | 'unmount',
): void {
  for (const mount of record.mounts) {
    if (mount.type !== 'volume' || mount.name === undefined) continue;
    events.emit({
      type: 'volume',
      action,
      id: mount.name,
      attributes: {
        driver: 'local',
        container: record.id,
        ...(action === 'mount' && mountAttributes(mount)),
      },
    });
  }
}

const mountAttributes = (mount: MountView) => ({
  destination: mount.target,
  propagation: mount.propagation,
  'read/write': String(!mount.readOnly),
});

export function emitImageEvent(events: EventLog, action: string, id: string, name: string): void {
  events.emit({ type: 'image', action, id, attributes: { name } });
}
