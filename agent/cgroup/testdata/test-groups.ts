/** Groups of a test file, below one of its own: what is in them ends with each test, and the rest with the file. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, afterEach } from 'node:test';
import type { Limits } from '../../contract/limits.ts';
import type { OciDeviceRule } from '../../contract/oci-runtime.ts';
import type { Cgroup, CgroupDriver } from '../cgroup.ts';

export const anyDevice: readonly OciDeviceRule[] = [{ allow: true, type: 'a', access: 'rwm' }];

export interface TestGroups {
  driver: CgroupDriver;
  /** On the machine's disk; it goes with the file. */
  directory: string;
  create(limits?: Limits, devices?: readonly OciDeviceRule[]): Cgroup;
}

/** `drive` makes the driver of the groups below `parent`. */
export function testGroups(name: string, drive: (parent: string) => CgroupDriver): TestGroups {
  // The group bears the directory's name, by which scripts/test finds it if this is killed.
  const directory = mkdtempSync(join(tmpdir(), `corten-${name}-`));
  const driver = drive(basename(directory));
  const groups: Cgroup[] = [];
  let count = 0;
  afterEach(async () => {
    for (const group of groups.splice(0)) {
      group.kill();
      await group.remove();
    }
  });
  after(() => {
    assert.deepEqual(driver.list(), []);
    driver.removeParent();
    rmSync(directory, { recursive: true });
  });
  return {
    driver,
    directory,
    create(limits = {}, devices = anyDevice) {
      count += 1;
      const group = driver.create(`g${count}`, limits, devices);
      groups.push(group);
      return group;
    },
  };
}
