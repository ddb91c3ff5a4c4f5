/**
 * Intel RDT (config-linux.md, "IntelRdt"; Documentation/filesystems/resctrl.rst): a class of service is a
 * directory of resctrl, and a monitoring group one below it.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OciIntelRdt } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { parseMountinfo } from '../kernel/mountinfo.ts';
import type { JsonReader } from './json-reader.ts';

/** Stored in the container's record. Directories that `create` made are removed with the container; others stay. */
export interface RdtPlace {
  directory: string;
  made: string[];
}

export function readIntelRdt(reader: JsonReader): OciIntelRdt | undefined {
  if (!reader.isPresent) return undefined;
  const closID = reader.at('closID').string();
  // The root class has no directory, and the other reserved names are no classes.
  if (closID !== undefined && (!/^[^/\0]+$/.test(closID) || isReserved(closID)))
    throw reader.at('closID').wrong(`is "${closID}", which is no name of a class`);
  return {
    closID,
    l3CacheSchema: reader.at('l3CacheSchema').string(),
    memBwSchema: reader.at('memBwSchema').string(),
    enableCMT: reader.at('enableCMT').boolean(),
    enableMBM: reader.at('enableMBM').boolean(),
  };
}

function isReserved(name: string): boolean {
  return ['.', '..', 'info', 'mon_groups', 'mon_data'].includes(name);
}

/** Mount point of resctrl. Throws invalid when it is not mounted. */
export function resctrlRoot(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): string {
  const mount = parseMountinfo(mountinfo).find(({ type }) => type === 'resctrl');
  if (mount === undefined) throw invalid('linux.intelRdt needs a mounted resctrl file system');
  return mount.mountPoint;
}

/** Creates the class of a container if it is missing. Throws invalid for an existing class with other settings. */
export function makeRdtPlace(root: string, asked: OciIntelRdt, id: string): RdtPlace {
  const directory = join(root, asked.closID ?? id);
  const place: RdtPlace = { directory, made: [] };
  const schemata = [asked.l3CacheSchema, asked.memBwSchema]
    .flatMap((schema) => schema?.split('\n') ?? [])
    .map((line) => line.trim())
    .filter(Boolean);
  try {
    if (makeDirectory(place, directory)) writeSchemata(directory, schemata);
    else checkSchemata(directory, schemata);
    if (asked.enableCMT || asked.enableMBM) makeDirectory(place, join(directory, 'mon_groups', id));
    return place;
  } catch (error) {
    removeRdtPlace(place);
    throw error;
  }
}

/** Moves a process to the class, which its children inherit. */
export function joinRdtPlace({ directory, made }: RdtPlace, pid: number): void {
  // The class comes first: a monitoring group accepts only members of its class.
  for (const place of new Set([directory, ...made]))
    writeFileSync(join(place, 'tasks'), String(pid));
}

export function removeRdtPlace({ made }: RdtPlace): void {
  for (const directory of [...made].reverse()) {
    try {
      rmdirSync(directory);
    } catch (error) {
      // The directory was removed already, or resctrl is not mounted any more.
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
}

/** Returns false when the directory exists. */
function makeDirectory(place: RdtPlace, directory: string): boolean {
  if (existsSync(directory)) return false;
  mkdirSync(directory);
  place.made.push(directory);
  return true;
}

function writeSchemata(directory: string, lines: readonly string[]): void {
  try {
    for (const line of lines) writeFileSync(join(directory, 'schemata'), `${line}\n`);
  } catch (error) {
    if (hasErrno(error, 'EINVAL', 'ENODEV'))
      throw invalid(`the kernel refuses ${lines.join(', ')} of linux.intelRdt`, error);
    throw error;
  }
}

function checkSchemata(directory: string, lines: readonly string[]): void {
  const now = readFileSync(join(directory, 'schemata'), 'utf8')
    .split('\n')
    .map((line) => line.trim());
  const missing = lines.find((line) => !now.includes(line));
  if (missing !== undefined)
    throw invalid(`the class ${directory} exists already, without ${missing}`);
}
