import type { EngineContext } from '../context.ts';
import { directoryBytes } from './directory-size.ts';

/** Bytes that the container itself wrote, and those together with its image. */
export async function containerSize(
  { containers, images }: Pick<EngineContext, 'containers' | 'images'>,
  reference: string,
): Promise<{ rwBytes: number; rootFsBytes: number }> {
  const { rootfs, imageId } = containers.find(reference);
  const rwBytes = await directoryBytes(rootfs.upper);
  return { rwBytes, rootFsBytes: rwBytes + (images.find(imageId)?.sizeBytes ?? 0) };
}
