/** Files in memory (memfd_create(2)), sealed against changes (fcntl(2)). */
import { closeSync, writeSync } from 'node:fs';
import { libcCall } from './libc.ts';

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
const F_SEAL_SEAL = 1;
const F_SEAL_SHRINK = 2;
const F_SEAL_GROW = 4;
const F_SEAL_WRITE = 8;

const memfdCreateCall = libcCall('memfd_create', ['str', 'uint']);
const fcntlCall = libcCall('fcntl', ['int', 'int', 'int']);

/** Creates an empty file in memory. The caller closes it. */
export function memoryFile(name: string): number {
  return memfdCreateCall(name, name, MFD_CLOEXEC);
}

/** Creates a sealed file in memory with this content. The caller closes it. */
export function sealedFile(name: string, content: Buffer): number {
  const fd = memfdCreateCall(name, name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  try {
    for (let offset = 0; offset < content.length; )
      offset += writeSync(fd, content, offset, content.length - offset, offset);
    fcntlCall(name, fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
