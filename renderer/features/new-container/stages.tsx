import { formatBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import type { CreationStage } from '../../stores/creation.ts';
import { type Pull, usePulls } from '../../stores/pulls.ts';
import { Button } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { PullProgress } from '../../ui/pull-progress.tsx';

/** How far creating has come. */
export function Stages({
  stage,
  image,
  starts,
}: {
  stage: CreationStage;
  image: string;
  starts: boolean;
}) {
  const t = useText();
  const pull = usePulls((state) => state.pulls[image]);
  const all: CreationStage[] = ['pull', 'create', 'start'];
  const stages = all.filter((one) => one === 'create' || (one === 'pull' ? pull : starts));
  const now = stages.indexOf(stage);
  return (
    <section className="card new-part" aria-label={t('new.progress')} aria-live="polite">
      <ol className="stages">
        {stages.map((one, index) => (
          <li key={one} className={index === now ? 'now' : index < now ? 'done' : ''}>
            <Icon name={index < now ? 'check' : index === now ? 'right' : 'created'} size={14} />
            {t(`new.stage.${one}`)}
          </li>
        ))}
      </ol>
      {pull?.state === 'running' ? <PullNow pull={pull} /> : null}
    </section>
  );
}

function PullNow({ pull }: { pull: Pull }) {
  const t = useText();
  const done = pull.layers.reduce((sum, layer) => sum + layer.currentBytes, 0);
  return (
    <>
      <PullProgress layers={pull.layers} />
      <div className="new-part-head">
        <span className="muted">{formatBytes(done)}</span>
        <span className="spacer" />
        <Button onClick={pull.cancel}>{t('pull.cancel')}</Button>
      </div>
    </>
  );
}
