/** Reads `linux.resources` of a config.json and of `update --resources` (config-linux.md). */
import type { OciResources, OciThrottle } from '../contract/oci-runtime.ts';
import type { JsonReader } from './json-reader.ts';

export function readResources(reader: JsonReader): OciResources {
  return {
    devices: reader.at('devices').list(readDeviceRule),
    memory: readMemory(reader.at('memory')),
    cpu: readCpu(reader.at('cpu')),
    pids: { limit: reader.at('pids').at('limit').integer() },
    blockIO: readBlockIo(reader.at('blockIO')),
    hugepageLimits: reader.at('hugepageLimits').list((item) => ({
      pageSize: item.at('pageSize').required().string(),
      limit: item.at('limit').required().integer(),
    })),
    network: {
      classID: reader.at('network').at('classID').integer(),
      priorities: reader
        .at('network')
        .at('priorities')
        .list((item) => ({
          name: item.at('name').required().string(),
          priority: item.at('priority').required().integer(),
        })),
    },
    rdma: reader.at('rdma').map((item) => ({
      hcaHandles: item.at('hcaHandles').integer(),
      hcaObjects: item.at('hcaObjects').integer(),
    })),
    unified: reader.at('unified').map((item) => item.required().string()),
  };
}

function readDeviceRule(item: JsonReader): NonNullable<OciResources['devices']>[number] {
  return {
    allow: item.at('allow').required().boolean(),
    type: item.at('type').string(),
    major: item.at('major').integer(),
    minor: item.at('minor').integer(),
    access: item.at('access').string(),
  };
}

function readMemory(reader: JsonReader): OciResources['memory'] {
  return {
    limit: reader.at('limit').integer(),
    reservation: reader.at('reservation').integer(),
    swap: reader.at('swap').integer(),
    swappiness: reader.at('swappiness').integer(),
    disableOOMKiller: reader.at('disableOOMKiller').boolean(),
  };
}

function readCpu(reader: JsonReader): OciResources['cpu'] {
  return {
    shares: reader.at('shares').integer(),
    quota: reader.at('quota').integer(),
    burst: reader.at('burst').integer(),
    period: reader.at('period').integer(),
    realtimeRuntime: reader.at('realtimeRuntime').integer(),
    realtimePeriod: reader.at('realtimePeriod').integer(),
    cpus: reader.at('cpus').string(),
    mems: reader.at('mems').string(),
    idle: reader.at('idle').integer(),
  };
}

function readBlockIo(reader: JsonReader): OciResources['blockIO'] {
  return {
    weight: reader.at('weight').integer(),
    leafWeight: reader.at('leafWeight').integer(),
    weightDevice: reader.at('weightDevice').list((item) => ({
      ...readDevice(item),
      weight: item.at('weight').integer(),
      leafWeight: item.at('leafWeight').integer(),
    })),
    throttleReadBpsDevice: reader.at('throttleReadBpsDevice').list(readThrottle),
    throttleWriteBpsDevice: reader.at('throttleWriteBpsDevice').list(readThrottle),
    throttleReadIOPSDevice: reader.at('throttleReadIOPSDevice').list(readThrottle),
    throttleWriteIOPSDevice: reader.at('throttleWriteIOPSDevice').list(readThrottle),
  };
}

function readDevice(item: JsonReader): { major: number; minor: number } {
  const major = item.at('major').required().integer();
  return { major, minor: item.at('minor').required().integer() };
}

function readThrottle(item: JsonReader): OciThrottle {
  return { ...readDevice(item), rate: item.at('rate').required().integer() };
}
