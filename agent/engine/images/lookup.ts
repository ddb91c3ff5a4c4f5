/** One image of the store, and the containers made from it. */
import { notFound } from '../../errors.ts';
import type { StoredImage } from '../../images/store.ts';
import type { EngineContext } from '../context.ts';

export function requireImage(
  { images }: Pick<EngineContext, 'images'>,
  reference: string,
): StoredImage {
  const image = images.find(reference);
  if (image === undefined) throw notFound(`No such image: ${reference}`);
  return image;
}

export const usersOf = ({ containers }: Pick<EngineContext, 'containers'>, id: string) =>
  containers.all().filter(({ imageId }) => imageId === id);
