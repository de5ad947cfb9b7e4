import type { SiteStatus } from '#shared/contract/backups.ts'
import { formatBytes, formatDay, formatDuration, formatMoment } from '#shared/format.ts'
import { REPOSITORY_LABEL } from '../../components/icons.tsx'
import { CopyButton } from '../../components/kbd.tsx'
import { Pane, PaneSection } from '../../components/pane.tsx'
import { Proof } from '../../components/proof.tsx'
import { Sparkline } from '../../components/sparkline.tsx'
import { type GlyphState, StateGlyph } from '../../components/state-glyph.tsx'
import { REPOSITORIES } from '../../lib/copies.ts'
import { nextNightText } from '../../lib/next-night.ts'
import { drillText, siteProof } from '../../lib/proof-text.ts'
import { ageState } from '../../lib/protection.ts'
import { placesOf, usePlaces } from '../../lib/site-places.ts'
import { useNightlyState } from '../../lib/use-nights.ts'
import { useSite } from '../../queries.ts'
import { useNow } from '../../stores/clock.ts'
import classes from './site-overview.module.css'
import { COPY_WORD, type Copy } from './sites-table.tsx'

const COPY_GLYPH: Record<Copy, GlyphState> = { newest: 'ok', old: 'warn', none: 'none', failing: 'bad', unknown: 'none' }
const COPY_SHORT: Record<Copy, string> = {
  newest: 'newest',
  old: 'older one',
  none: 'none',
  failing: 'failing',
  unknown: 'looking',
}

const ENCRYPTION_TEXT: Record<SiteStatus['encryption'], string> = {
  encrypted: 'All backups are encrypted',
  plain: 'Not encrypted',
  mixed: 'Some are encrypted, some are not',
  none: 'No backup yet',
}

/** The facts of a site in one column: age, copies, proof, encryption, size, places. */
export function SiteFacts({ status }: { status: SiteStatus }) {
  const now = useNow()
  const { newest } = status
  const isKnown = status.protection !== 'unknown'
  const nights = useNightlyState(status.site)
  const drilled = drillText(status.drill)
  const places = usePlaces(status.site)
  const age = newest ? (now.getTime() - new Date(newest.timestamp).getTime()) / 1000 : null
  return (
    <Pane label={`Facts of ${status.site}`} narrowWidth={236}>
      <PaneSection title="Newest good backup">
        {newest ? (
          <>
            <div className={classes.figure} data-state={isKnown ? ageState(age) : undefined}>
              {formatDuration(age ?? 0)}
            </div>
            <p className={classes.small}>
              {newest.name} · {formatMoment(newest.timestamp)} UTC
            </p>
          </>
        ) : (
          <div className={classes.figure} data-state={isKnown ? 'bad' : undefined}>
            {isKnown ? 'None' : 'Not known'}
          </div>
        )}
      </PaneSection>
      <PaneSection title="Copies">
        {REPOSITORIES.map((repository) => (
          <div key={repository} className={classes.fact} title={`${repository} ${COPY_WORD[status.copies[repository]]}`}>
            <StateGlyph state={COPY_GLYPH[status.copies[repository]]} size={10} />
            <span>{REPOSITORY_LABEL[repository]}</span>
            <i>
              {places.some((place) => place.repository === repository) ? COPY_SHORT[status.copies[repository]] : 'not set up'}
            </i>
          </div>
        ))}
      </PaneSection>
      <PaneSection title="Proof">
        <Proof {...siteProof(status, now)} />
        {drilled !== null && (
          <p className={classes.small} data-selectable>
            {drilled}
          </p>
        )}
      </PaneSection>
      <PaneSection title="Nights">
        {nights && (
          <p className={classes.small}>
            {nextNightText(nights, now)}
            {nights.last && (
              <>
                <br />
                {formatDay(nights.last.at)}: {nights.last.text}
              </>
            )}
          </p>
        )}
      </PaneSection>
      <PaneSection title="Encryption">
        <p className={isKnown && (status.encryption === 'plain' || status.encryption === 'mixed') ? classes.warn : classes.small}>
          {isKnown ? ENCRYPTION_TEXT[status.encryption] : 'Not known'}
        </p>
      </PaneSection>
      <PaneSection title="Size">
        <div className={classes.sizeLine}>
          <span>{newest ? formatBytes(newest.bytes) : '–'}</span>
          <Sparkline sizes={status.sizes} />
        </div>
      </PaneSection>
      <Places site={status.site} />
    </Pane>
  )
}

function Places({ site }: { site: string }) {
  const view = useSite(site).data
  if (!view) return null
  const { database } = view.site
  const places = [
    { label: 'Database', text: `${database.user}@${database.host}:${database.port}/${database.database}` },
    ...placesOf(view).map(({ repository, place }) => ({ label: REPOSITORY_LABEL[repository], text: place })),
  ]
  return (
    <PaneSection title="Places">
      {places.map((place) => (
        <div key={place.label} className={classes.place}>
          <span>{place.label}</span>
          <code data-selectable title={place.text}>
            {place.text}
          </code>
          <CopyButton text={place.text} label={`Copy the place of the ${place.label.toLowerCase()}`} />
        </div>
      ))}
    </PaneSection>
  )
}
