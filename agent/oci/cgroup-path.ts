/** Finds the path of a container's cgroup (config-linux.md, "Cgroups Path"). */
import { posix } from 'node:path';
import { invalid } from '../errors.ts';

export interface CgroupPlace {
  /** Names of the parent groups below the mounts of the hierarchies. */
  parent: string[];
  name: string;
}

/** Parent of containers without a path or with a relative one. */
const ownParent = 'corten-oci';

export function cgroupPlace(cgroupsPath: string | undefined, id: string): CgroupPlace {
  if (cgroupsPath === undefined || cgroupsPath === '') return { parent: [ownParent], name: id };
  if (cgroupsPath.includes(':'))
    throw invalid(
      `linux.cgroupsPath "${cgroupsPath}" is for systemd; this runtime writes control groups itself. Choose the caller's cgroupfs driver (podman --cgroup-manager=cgroupfs).`,
    );
  const absolute = cgroupsPath.startsWith('/') ? cgroupsPath : `/${ownParent}/${cgroupsPath}`;
  const { dir, base } = posix.parse(posix.normalize(absolute));
  if (base === '') throw invalid(`linux.cgroupsPath "${cgroupsPath}" is the root of all groups`);
  return { parent: dir.split('/').filter(Boolean), name: base };
}
