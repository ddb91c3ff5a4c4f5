import { useText } from '../../messages/use-text.ts';
import { CheckField } from '../../ui/checkbox.tsx';
import { TextField } from '../../ui/field.tsx';
import { Select } from '../../ui/select.tsx';
import { SuggestField } from '../../ui/suggest-field.tsx';
import { type FieldProps, problemOf } from './field-props.ts';
import type { RestartChoice } from './form.ts';
import type { ImageFacts } from './use-image-facts.ts';

const restarts: RestartChoice[] = ['no', 'on-failure', 'unless-stopped', 'always'];

export function Basics(
  props: FieldProps & {
    images: string[];
    facts: ImageFacts | undefined;
    onTerminal: (on: boolean) => void;
  },
) {
  const t = useText();
  const { form, set, images, facts, onTerminal } = props;
  const local = images.includes(form.image);
  const networks = ['bridge', 'none', 'host', ...(isOther(form.network) ? [form.network] : [])];
  return (
    <section className="card new-part" aria-label={t('new.basics')}>
      <SuggestField
        autoFocus={form.image === ''}
        label={t('new.image')}
        placeholder="corten/starter:latest"
        value={form.image}
        suggestions={images}
        onChange={(image) => set({ image })}
        error={problemOf(props, 'image', form.image, t)}
        note={
          form.image === '' ? t('new.imageHelp') : t(local ? 'new.imageLocal' : 'new.imagePull')
        }
      />
      <div className="new-pair">
        <TextField
          label={t('new.name')}
          placeholder={t('new.namePlaceholder')}
          value={form.name}
          error={problemOf(props, 'name', form.name, t)}
          onChange={(name) => set({ name })}
        />
        <TextField
          mono
          label={t('new.command')}
          placeholder={facts?.command || t('new.commandPlaceholder')}
          value={form.command}
          onChange={(command) => set({ command })}
        />
      </div>
      <div className="new-pair">
        <Select
          label={t('new.restart')}
          value={form.restart}
          choices={restarts.map((value) => ({ value, label: t(`restart.${value}`) }))}
          onChange={(restart) => set({ restart })}
        />
        <Select
          label={t('new.network')}
          value={form.network}
          choices={networks.map((value) => ({
            value,
            label: isOther(value) ? value : t(`network.${value as 'bridge'}`),
          }))}
          onChange={(network) => set({ network })}
        />
      </div>
      {props.problems.restart ? (
        <span className="field-error">{problemOf(props, 'restart', form.restart, t)}</span>
      ) : null}
      <div className="new-checks">
        <CheckField label={t('new.terminal')} checked={form.terminal} onChange={onTerminal} />
        <CheckField
          label={t('new.autoRemove')}
          checked={form.autoRemove}
          onChange={(autoRemove) => set({ autoRemove })}
        />
        <CheckField label={t('new.init')} checked={form.init} onChange={(init) => set({ init })} />
        <CheckField
          label={t('new.readOnly')}
          checked={form.readOnlyRootfs}
          onChange={(readOnlyRootfs) => set({ readOnlyRootfs })}
        />
      </div>
    </section>
  );
}

function isOther(network: string): boolean {
  return !['bridge', 'none', 'host'].includes(network);
}
