import { Button, Drawer } from '@mantine/core'
import { IconAlertTriangle, IconLayoutSidebarRight } from '@tabler/icons-react'
import { useCallback, useEffect, useMemo, useState } from 'react'
import { Badge } from '../../components/badge.tsx'
import { DemoStopped } from '../../components/demo-stopped.tsx'
import { FilterField, SegmentedFilter } from '../../components/filters.tsx'
import { icon12, icon16 } from '../../components/icons.tsx'
import { Columns, Main } from '../../components/pane.tsx'
import { Empty, ErrorBox, SkeletonRows } from '../../components/states.tsx'
import { Page, SiteTitle, ToolRow } from '../../layout/page.tsx'
import { backUp } from '../../lib/back-up.ts'
import { type BackupFilter, countBackups, filterBackups, joinBackups } from '../../lib/join-backups.ts'
import { PROTECTION_WORD } from '../../lib/protection.ts'
import { usePlaces } from '../../lib/site-places.ts'
import { useSiteStatus } from '../../lib/site-statuses.ts'
import { useNarrow } from '../../lib/use-narrow.ts'
import { useBackups } from '../../queries.ts'
import { useJobList } from '../../stores/jobs.ts'
import { useOfferCommands } from '../../stores/page-commands.ts'
import { BackUpButtons, syncCommands } from './back-up-buttons.tsx'
import { backupActions, copyCommands } from './backup-actions.tsx'
import classes from './backups.module.css'
import { BackupsTable } from './backups-table.tsx'
import { Inspector } from './inspector.tsx'
import { ListProblems } from './list-problems.tsx'
import { RotationLine } from './rotation-line.tsx'
import { UnknownFiles } from './unknown-files.tsx'
import { useBackupKeys } from './use-backup-keys.ts'

const TONE = { protected: 'ok', ageing: 'warn', unprotected: 'bad', unknown: 'neutral' } as const

/** One table over all repositories of a site, and what can be done with the chosen backup. */
export function BackupsPage({ site }: { site: string }) {
  const list = useBackups(site)
  const protection = useSiteStatus(site)?.protection
  const [filter, setFilter] = useState<BackupFilter>('all')
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState<string | null>(null)
  const [inspecting, setInspecting] = useState(true)
  const [drawer, setDrawer] = useState(false)
  const [coming, setComing] = useState(false)
  const narrow = useNarrow()
  const jobs = useJobList(site)

  const places = usePlaces(site)
  const repositories = useMemo(() => places.map(({ repository }) => repository), [places])

  const all = useMemo(() => joinBackups(list.data ?? { backups: [] }), [list.data])
  const counts = list.data ? countBackups(all) : null
  const isGone = chosen !== null && list.data !== undefined && !all.some((candidate) => candidate.key === chosen)
  // a backup that was replaced or deleted is chosen no longer; the table chooses the newest
  useEffect(() => {
    if (isGone) setChosen(null)
  }, [isGone])
  const rows = filterBackups(all, filter, text)
  const row = rows.find((candidate) => candidate.key === chosen) ?? null
  const scheme = list.data?.scheme ?? 'manual'
  const inspect = (shown: boolean) => (narrow ? setDrawer(shown) : setInspecting(shown))
  const actions = useMemo(() => (row ? backupActions(site, row, repositories, jobs) : []), [site, row, repositories, jobs])
  useBackupKeys(actions, () => inspect(false))
  const showComing = useCallback(() => setComing(true), [])
  useOfferCommands(
    useMemo(
      () => [
        ...actions.filter((action) => !action.isRunning),
        ...(row ? copyCommands(site, row, repositories) : []),
        ...syncCommands(site, repositories),
        { id: 'coming-nights', title: `Coming nights of ${site}`, group: 'Actions' as const, run: showComing },
      ],
      [actions, row, site, repositories, showComing],
    ),
  )

  const inspector = row && <Inspector site={site} row={row} places={places} actions={actions} onClose={() => inspect(false)} />
  const isIncomplete = (list.data?.problems.length ?? 0) > 0

  return (
    <Page
      title={<SiteTitle site={site} page="Backups" />}
      subtitle={protection && <Badge tone={TONE[protection]}>{PROTECTION_WORD[protection]}</Badge>}
      actions={<BackUpButtons site={site} repositories={repositories} newest={all[0] ?? null} />}
    >
      <Columns>
        <Main>
          <ToolRow
            right={
              <>
                <FilterField label="Filter" value={text} onChange={setText} />
                {narrow && (
                  <Button
                    className={classes.drawerButton}
                    data-size="small"
                    aria-label="Show the chosen backup"
                    disabled={row === null}
                    onClick={() => setDrawer(true)}
                  >
                    <IconLayoutSidebarRight {...icon16} />
                  </Button>
                )}
              </>
            }
          >
            <SegmentedFilter
              label="Backups"
              value={filter}
              onChange={setFilter}
              options={[
                { value: 'all', label: 'All', count: counts?.all },
                { value: 'daily', label: 'Daily', count: counts?.daily },
                { value: 'weekly', label: 'Weekly', count: counts?.weekly },
                ...(counts && counts.safety > 0 && !narrow
                  ? [{ value: 'safety' as const, label: 'Safety', count: counts.safety }]
                  : []),
                ...(counts && counts.pinned > 0 && !narrow
                  ? [{ value: 'pinned' as const, label: 'Pinned', count: counts.pinned }]
                  : []),
                ...(repositories.length > 1 && counts && counts['to-fetch'] > 0
                  ? [{ value: 'to-fetch' as const, label: 'Not in vault', count: counts['to-fetch'] }]
                  : []),
                {
                  value: 'problems',
                  label: 'Problems',
                  count: counts?.problems,
                  ...(counts && counts.problems > 0 ? { glyph: <IconAlertTriangle {...icon12} className={classes.warn} /> } : {}),
                },
              ]}
            />
          </ToolRow>
          {list.data && <RotationLine site={site} scheme={scheme} comingOpen={coming} onComing={setComing} />}
          <div className={classes.problem}>
            <DemoStopped site={site} />
          </div>
          <ListProblems site={site} problems={list.data?.problems ?? []} onRetry={() => void list.refetch()} />
          {list.error && (
            <div className={classes.problem}>
              <ErrorBox title="The backups could not be listed." error={list.error} onRetry={() => void list.refetch()} />
            </div>
          )}
          {list.isPending && !list.error && (
            <div className={classes.loading}>
              <SkeletonRows rows={8} height={48} label="Reading the backups" />
            </div>
          )}
          {rows.length > 0 && (
            <BackupsTable
              rows={rows}
              repositories={repositories}
              jobs={jobs}
              chosen={chosen}
              onChoose={setChosen}
              onClick={(key) => {
                setChosen(key)
                setInspecting(true)
              }}
              onInspect={() => inspect(true)}
              onToggleInspector={() => inspect(narrow ? !drawer : !inspecting)}
              below={<UnknownFiles files={list.data?.unknown ?? []} />}
            />
          )}
          {list.data && all.length === 0 && (
            <>
              <Empty
                title={isIncomplete ? `No backup of ${site} can be listed` : `No backup of ${site} yet`}
                text={
                  isIncomplete
                    ? 'There may be some where the list could not be read. A new one goes into the vault on this computer.'
                    : 'A backup goes into the vault on this computer. It reads the database and the files; nothing on the server is changed.'
                }
              >
                <Button variant="filled" onClick={() => void backUp(site, 'vault')}>
                  Back up {site} now
                </Button>
              </Empty>
              <UnknownFiles files={list.data.unknown} />
            </>
          )}
          {all.length > 0 && rows.length === 0 && (
            <Empty title="No backup matches this filter">
              <Button
                onClick={() => {
                  setFilter('all')
                  setText('')
                }}
              >
                Show all backups
              </Button>
            </Empty>
          )}
        </Main>
        {!narrow && inspecting && inspector}
      </Columns>
      {narrow && (
        <Drawer.Root opened={drawer && row !== null} onClose={() => setDrawer(false)} position="right" size={320}>
          <Drawer.Overlay />
          <Drawer.Content aria-label="Chosen backup">
            <Drawer.Body>{inspector}</Drawer.Body>
          </Drawer.Content>
        </Drawer.Root>
      )}
    </Page>
  )
}
