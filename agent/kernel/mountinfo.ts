/** Parses the mounts of a process (proc_pid_mountinfo(5)). */

export interface MountEntry {
  id: number;
  /** ID of the parent mount; that of the root mount is outside the list. */
  parentId: number;
  /** File system as `major:minor` of its st_dev. */
  device: string;
  /** Directory or file of the file system that is mounted. */
  root: string;
  mountPoint: string;
  /** Options of this mount, such as `ro`, `nosuid`, `nodev`, `noexec`. */
  options: readonly string[];
  /** Type such as `overlay`, `tmpfs` or `ext4`. */
  type: string;
  source: string;
  /** Options of the file system, which all its mounts share. */
  superOptions: readonly string[];
}

/**
 * Parses lines such as `36 35 0:30 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu`. Separators are escaped
 * in all fields, so a name cannot imitate another field; other lines are skipped.
 */
export function parseMountinfo(text: string): MountEntry[] {
  return text
    .split('\n')
    .map(parseLine)
    .filter((entry) => entry !== undefined);
}

function parseLine(line: string): MountEntry | undefined {
  const fields = line.split(' ');
  // Optional fields are between the sixth field and the dash.
  const dash = fields.indexOf('-', 6);
  const [id, parentId, device, root, mountPoint, options] = fields;
  const [type, source, superOptions] = dash === -1 ? [] : fields.slice(dash + 1);
  if (device === undefined || root === undefined || mountPoint === undefined) return undefined;
  if (options === undefined || type === undefined || source === undefined) return undefined;
  return {
    id: Number(id),
    parentId: Number(parentId),
    device,
    root: withoutEscapes(root),
    mountPoint: withoutEscapes(mountPoint),
    options: options.split(','),
    type: withoutEscapes(type),
    source: withoutEscapes(source),
    superOptions: (superOptions ?? '').split(',').map(withoutEscapes),
  };
}

/** Decodes octal escapes of space, tab, newline and backslash (mangle_path, fs/seq_file.c). */
function withoutEscapes(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
