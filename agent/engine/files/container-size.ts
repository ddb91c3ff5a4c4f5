import { withLayer } from '../containers/layer.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { directoryBytes } from './directory-size.ts';

/** The bytes that the container wrote, and those together with its image. */
export async function containerSize(
  context: Pick<EngineContext, 'containers' | 'images' | 'disks'>,
  reference: string,
): Promise<{ rwBytes: number; rootFsBytes: number }> {
  const record = context.containers.find(reference);
  const rwBytes = await layerBytes(context, record);
  const imageBytes = context.images.find(record.imageId)?.sizeBytes ?? 0;
  return { rwBytes, rootFsBytes: rwBytes + imageBytes };
}

/** The bytes of all files in a container's writable layer. This walks the whole layer. */
export function layerBytes(
  context: Pick<EngineContext, 'disks'>,
  record: ContainerRecord,
): Promise<number> {
  return withLayer(context, record, ({ upper }) => directoryBytes(upper));
}
