import type { SiteView } from '#shared/model/site.ts'
import { SegmentedFilter } from '../../components/filters.tsx'
import { type GlyphState, StateGlyph } from '../../components/state-glyph.tsx'
import { DatabaseFields } from './database-fields.tsx'
import { type FieldsProps, PlaceField } from './field.tsx'
import { FilestoreFields } from './filestore-fields.tsx'
import { ServerFields } from './server-fields.tsx'
import classes from './settings.module.css'

export type ConnectionPart = 'server' | 'database' | 'filestore' | 'vault'

/** Which secrets of the connections are in the secret store. */
export type StoredConnectionSecrets = Pick<
  SiteView,
  'hasDatabasePassword' | 'hasSshPassword' | 'hasSshPassphrase' | 'hasFilestoreSecret'
>

const PARTS: { value: ConnectionPart; label: string }[] = [
  { value: 'server', label: 'Server' },
  { value: 'database', label: 'Database' },
  { value: 'filestore', label: 'Filestore' },
  { value: 'vault', label: 'Vault' },
]

export function ConnectionFields(
  props: FieldsProps & {
    part: ConnectionPart
    onPart(part: ConnectionPart): void
    glyphs: Record<ConnectionPart, GlyphState>
    stored: StoredConnectionSecrets
    defaultVault: string
  },
) {
  const { draft, errors, change, part, stored } = props
  const form = { draft, errors, change }
  return (
    <div className={classes.fields}>
      <SegmentedFilter
        label="Connection"
        value={part}
        onChange={props.onPart}
        options={PARTS.map(({ value, label }) => ({
          value,
          label,
          glyph: <StateGlyph state={props.glyphs[value]} size={10} />,
        }))}
      />
      {part === 'server' && <ServerFields form={form} stored={stored} />}
      {part === 'database' && <DatabaseFields form={form} stored={stored} />}
      {part === 'filestore' && <FilestoreFields form={form} stored={stored} />}
      {part === 'vault' && (
        <PlaceField
          form={form}
          field="vaultPath"
          kind="folder"
          label="Vault folder"
          placeholder={props.defaultVault === '' ? 'in the data folder of Backup Desk' : props.defaultVault}
          hint="This computer’s backups of the site, laid out exactly like the server’s. Empty: a folder of its own."
        />
      )}
    </div>
  )
}
