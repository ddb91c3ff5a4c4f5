/** Where a container's control group lies (config-linux.md, "Cgroups Path"). */
import { posix } from 'node:path';
import { invalid } from '../errors.ts';

export interface CgroupPlace {
  /** The names on the way there, below the hierarchies' mounts. */
  parent: string[];
  name: string;
}

/** Of containers that say nothing, or something relative. */
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
