import { useEffect, useState } from 'react';
import { inspectImage } from '../../bridge/images.ts';

export interface ImageFacts {
  /** The command that runs when none is given. */
  command: string;
  /** The command is a shell: without a terminal it ends at once. */
  isShell: boolean;
  exposedPorts: string[];
}

/** What a local image does by itself; undefined for one that is not here. */
export function useImageFacts(image: string, isLocal: boolean): ImageFacts | undefined {
  const [facts, setFacts] = useState<ImageFacts>();
  useEffect(() => {
    setFacts(undefined);
    if (!isLocal) return;
    let current = true;
    inspectImage(image)
      .then(({ Config: config }) => {
        const words = [...(config?.Entrypoint ?? []), ...(config?.Cmd ?? [])];
        if (current)
          setFacts({
            command: words.join(' '),
            isShell: words.length === 1 && /(^|\/)(ba|da|z|a)?sh$/.test(words[0] ?? ''),
            exposedPorts: Object.keys(config?.ExposedPorts ?? {}),
          });
      })
      // Only hints come from here; creating tells what is wrong with the image.
      .catch(() => undefined);
    return () => {
      current = false;
    };
  }, [image, isLocal]);
  return facts;
}
