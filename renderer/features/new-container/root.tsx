import { useText } from '../../messages/use-text.ts';
import type { useMachine } from '../../stores/machine.ts';
import { FieldNote } from '../../ui/field.tsx';
import { Segments } from '../../ui/segments.tsx';
import { type FieldProps, problemOf } from './field-props.ts';
import type { RootChoice } from './form.ts';

const choices: readonly RootChoice[] = ['machine', 'own'];

/** Whose the container's root is outside of it: what a program that breaks out would be. */
export function Root(props: FieldProps & { byDefault: RootChoice }) {
  const t = useText();
  const { form, set, byDefault } = props;
  const value = form.root ?? byDefault;
  const problem = problemOf(props, 'root', value, t);
  return (
    <section className="card new-part" aria-label={t('new.root')}>
      <h2>{t('new.root')}</h2>
      <div className="new-root">
        <Segments
          label={t('new.root')}
          value={value}
          choices={choices.map((choice) => ({ value: choice, label: t(`root.${choice}`) }))}
          onChange={(root) => set({ root: root === byDefault ? undefined : root })}
        />
        <FieldNote error={problem} note={t(`new.rootHelp.${value}`)} />
      </div>
    </section>
  );
}

/** As the engine was started: with `--userns-remap` each container has its own. */
export function rootByDefault(info: ReturnType<typeof useMachine.getState>['info']): RootChoice {
  return info?.SecurityOptions?.includes('name=userns') ? 'own' : 'machine';
}
