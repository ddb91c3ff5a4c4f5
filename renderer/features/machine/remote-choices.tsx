import { useText } from '../../messages/use-text.ts';
import { choose, useShownMachine } from '../../stores/machines.ts';
import { CheckField } from '../../ui/checkbox.tsx';

/** What a remote machine and this computer have of each other. */
export function RemoteChoicesCard() {
  const t = useText();
  const machine = useShownMachine();
  if (machine?.choices === undefined) return null;
  const { id, choices } = machine;
  return (
    <section className="card machine-part" aria-label={t('choices.title')}>
      <h2>{t('choices.title')}</h2>
      <p className="muted">{t('choices.about')}</p>
      <CheckField
        label={t('choices.portsHere')}
        checked={choices.portsHere}
        onChange={(portsHere) => void choose(id, { portsHere })}
      />
      <CheckField
        label={t('choices.foldersThere')}
        checked={choices.foldersThere}
        onChange={(foldersThere) => void choose(id, { foldersThere })}
      />
      <p className="muted">{t('choices.foldersWarning')}</p>
    </section>
  );
}
