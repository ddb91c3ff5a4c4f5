/** Mounts for `inspect` and `ps`. */
import type { ContainerView, MountView } from '../../contract/container.ts';
import type { MountPoint } from '../../contract/docker.ts';

/** `--tmpfs` mounts appear only in HostConfig.Tmpfs, as in dockerd. */
export function mountPoints(view: ContainerView): MountPoint[] {
  const asTmpfs = (view.origin.hostConfig.Tmpfs ?? {}) as Record<string, string>;
  return view.mounts
    .filter((mount) => !(mount.type === 'tmpfs' && Object.hasOwn(asTmpfs, mount.target)))
    .map(mountPoint);
}

function mountPoint(mount: MountView): MountPoint {
  const point: MountPoint = {
    Type: mount.type,
    Source: mount.source,
    Destination: mount.target,
    Mode: modeOf(mount),
    RW: !mount.readOnly,
    Propagation: mount.type === 'bind' ? mount.propagation || 'rprivate' : '',
  };
  return mount.type === 'volume' ? { ...point, Name: mount.name ?? '', Driver: 'local' } : point;
}

function modeOf(mount: MountView): string {
  if (mount.readOnly) return 'ro';
  return mount.type === 'volume' ? 'z' : '';
}
