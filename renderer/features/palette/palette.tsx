import { Command } from 'cmdk';
import { useLocation } from 'wouter';
import { useText } from '../../messages/use-text.ts';
import { command, mayAsk, rowCommands } from '../../stores/container-actions.ts';
import { useContainers } from '../../stores/containers.ts';
import { useImages } from '../../stores/images.ts';
import { Icon, type IconName } from '../../ui/icon.tsx';
import './palette.css';

/** Every container, image and action, a few letters away. */
export default function Palette({
  onClose,
  onShortcuts,
}: {
  onClose: () => void;
  onShortcuts: () => void;
}) {
  const t = useText();
  const [, navigate] = useLocation();
  const rows = useContainers((state) => state.rows);
  const images = useImages((state) => state.images);
  const go = (path: string) => () => {
    navigate(path);
    onClose();
  };
  const containers = [...rows.values()];
  return (
    <Command.Dialog
      open
      onOpenChange={(open) => open || onClose()}
      label={t('palette.title')}
      overlayClassName="veil"
      contentClassName="palette"
    >
      <Command.Input placeholder={t('palette.placeholder')} />
      <Command.List label={t('palette.results')}>
        <Command.Empty>{t('palette.empty')}</Command.Empty>
        <Command.Group heading={t('palette.go')}>
          <Entry icon="plus" words={t('containers.new')} run={go('/new')} />
          <Entry icon="container" words={t('containers.title')} run={go('/')} />
          <Entry icon="image" words={t('images.title')} run={go('/images')} />
          <Entry icon="volume" words={t('volumes.title')} run={go('/volumes')} />
          <Entry icon="activity" words={t('activity.title')} run={go('/activity')} />
          <Entry icon="machine" words={t('machine.title')} run={go('/machine')} />
          <Entry icon="machine" words={t('userspace.title')} run={go('/machine/userspace')} />
          <Entry icon="keyboard" words={t('shortcuts.title')} run={onShortcuts} />
        </Command.Group>
        {containers.length === 0 ? null : (
          <Command.Group heading={t('containers.title')}>
            {containers.map((row) => (
              <Entry
                key={row.id}
                icon={row.status}
                id={row.id}
                words={row.name}
                more={row.image}
                run={go(`/containers/${row.id.slice(0, 12)}`)}
              />
            ))}
          </Command.Group>
        )}
        {containers.length === 0 ? null : (
          <Command.Group heading={t('palette.actions')}>
            {containers.slice(0, 200).flatMap((row) => [
              ...(['terminal', 'logs', 'limits'] as const).map((view) => (
                <Entry
                  key={`${row.id} ${view}`}
                  id={`${row.id} ${view}`}
                  icon={view}
                  words={t(`palette.${view}`, { name: row.name })}
                  run={go(`/containers/${row.id.slice(0, 12)}/${view}`)}
                />
              )),
              ...rowCommands
                .filter((verb) => mayAsk(row, verb))
                .map((verb) => (
                  <Entry
                    key={`${row.id} ${verb}`}
                    id={`${row.id} ${verb}`}
                    icon={verb}
                    words={t(`verb.${verb}.named`, { name: row.name })}
                    run={() => {
                      onClose();
                      void command([row.id], verb);
                    }}
                  />
                )),
            ])}
          </Command.Group>
        )}
        <Command.Group heading={t('images.title')}>
          {images
            .flatMap((image) => image.RepoTags ?? [])
            .map((tag) => (
              <Entry
                key={tag}
                icon="image"
                words={t('images.run', { name: tag })}
                run={go(`/new/${encodeURIComponent(tag)}`)}
              />
            ))}
        </Command.Group>
      </Command.List>
    </Command.Dialog>
  );
}

function Entry({
  icon,
  words,
  more,
  id,
  run,
}: {
  icon: IconName;
  words: string;
  more?: string;
  /** Tells entries with the same words apart. */
  id?: string;
  run: () => void;
}) {
  return (
    <Command.Item
      value={id ? `${words} ${id}` : words}
      keywords={more ? [more] : []}
      onSelect={run}
    >
      <Icon name={icon} size={14} />
      <span className="truncate">{words}</span>
      {more ? <span className="muted truncate">{more}</span> : null}
    </Command.Item>
  );
}
