/**
 * Who a container's process runs as: `user[:group]` by name or number, looked up in the image's own
 * passwd and group files (passwd(5), group(5)). Parsing is strict: what is not a plain number is a name.
 */
import { invalid } from '../../errors.ts';
import { fieldsOf, isId, maxId, type PasswdEntry, parsePasswd } from '../../runtime/passwd.ts';

export interface ResolvedUser {
  uid: number;
  gid: number;
  /** Every supplementary group, the primary one first, as dockerd has it. */
  additionalGids: number[];
  /** `/` for a user that the image does not know. */
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/** `extraGroups` is `--group-add`. Throws invalid, in dockerd's words. */
export function resolveUser(
  spec: string,
  files: { passwd: string; group: string },
  extraGroups: readonly string[] = [],
): ResolvedUser {
  const [userPart = '', groupPart = '', ...rest] = spec.split(':');
  if (rest.length > 0 || /\s/.test(spec))
    throw invalid(`invalid user "${spec}": write it as user or user:group, by name or number`);
  const groups = parseGroups(files.group);
  const { entry, uid } = findUser(userPart, parsePasswd(files.passwd));
  const chosenGid = groupPart === '' ? undefined : findGroup(groupPart, groups);
  const gid = chosenGid ?? entry?.gid ?? 0;
  // A group that is named stands alone; without one the user's own memberships count.
  const memberships =
    chosenGid === undefined && entry !== undefined
      ? groups.filter(({ members }) => members.includes(entry.name)).map((group) => group.gid)
      : [];
  const added = extraGroups.map((group) => findAddedGroup(group, groups));
  return {
    uid,
    gid,
    additionalGids: [...new Set([gid, ...memberships, ...added])],
    home: entry?.home || '/',
  };
}

function findUser(
  user: string,
  entries: PasswdEntry[],
): { entry: PasswdEntry | undefined; uid: number } {
  const wanted = user === '' ? 0 : numberOf(user);
  // A number means that number, also where somebody is called that.
  const entry = entries.find((one) =>
    wanted === undefined ? one.name === user : one.uid === wanted,
  );
  const uid = entry?.uid ?? wanted;
  if (uid === undefined)
    throw invalid(`unable to find user ${user}: no matching entries in passwd file`);
  return { entry, uid };
}

function findGroup(group: string, entries: GroupEntry[]): number {
  const gid = numberOf(group) ?? entries.find(({ name }) => name === group)?.gid;
  if (gid === undefined)
    throw invalid(`unable to find group ${group}: no matching entries in group file`);
  return gid;
}

function findAddedGroup(group: string, entries: GroupEntry[]): number {
  const gid =
    group === '' ? undefined : (numberOf(group) ?? entries.find(({ name }) => name === group)?.gid);
  if (gid === undefined) throw invalid(`Unable to find group ${group}`);
  return gid;
}

/** Undefined for what is no number. Throws for one that no user can have. */
function numberOf(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > maxId)
    throw invalid(`uids and gids must be in range 0-${maxId}, and ${text} is not`);
  return number;
}

function parseGroups(text: string): GroupEntry[] {
  return fieldsOf(text).flatMap(([name = '', , gid = '', members = '']) =>
    name !== '' && isId(gid)
      ? [{ name, gid: Number(gid), members: members.split(',').filter(Boolean) }]
      : [],
  );
}
