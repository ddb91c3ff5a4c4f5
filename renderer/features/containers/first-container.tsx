import { useLocation } from 'wouter';
import { useText } from '../../messages/use-text.ts';
import { createAndStart, useCreation } from '../../stores/creation.ts';
import { Button } from '../../ui/button.tsx';
import { Empty, Notice } from '../../ui/page.tsx';

const starterImage = 'corten/starter:latest';

/** No container yet: one click runs one, without any network, and opens a terminal in it. */
export function FirstContainer() {
  const t = useText();
  const [, navigate] = useLocation();
  const { stage, failure } = useCreation();
  const run = async () => {
    // A terminal keeps the image's shell waiting; without one it would end at once.
    const body = { Image: starterImage, Tty: true, OpenStdin: true };
    const id = await createAndStart({ name: undefined, body, start: true });
    if (id) navigate(`/containers/${id.slice(0, 12)}/terminal`);
  };
  return (
    <Empty
      title={t('containers.first.title')}
      actions={
        <>
          <Button
            kind="main"
            icon="start"
            disabled={stage !== undefined}
            onClick={() => void run()}
          >
            {stage ? t(`new.stage.${stage}`) : t('containers.first.run')}
          </Button>
          <Button icon="plus" onClick={() => navigate('/new')}>
            {t('containers.first.other')}
          </Button>
        </>
      }
    >
      {t('containers.first.help', { image: starterImage })}
      {failure ? <Notice>{failure.message}</Notice> : null}
    </Empty>
  );
}
