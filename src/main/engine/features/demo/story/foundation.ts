import { termMap } from '#engine/foundation/erlang/terms.ts'
import { CATEGORIES, MODULES, PREDICATES, SITE_TITLE } from '../content/site.ts'
import { CONTENT_GROUP } from '../history/properties.ts'
import type { Deed, SiteHistory } from '../history/site-history.ts'

export const ADMIN = 1

/** What a new site has before anybody writes: administrator, categories, predicates, modules, configuration. */
export function layFoundation(history: SiteHistory, at: Date, passwordHash: string): void {
  const deed: Deed = { at, by: ADMIN }
  const numbers = numberCategories()
  for (const [id, , , number] of numbers) history.categoryNumbers.set(id, number.nr)
  // the category of categories comes first, since all others are of it
  const meta = { isProtected: true, isPropertyList: true } as const
  for (const [id, name, , title] of [...CATEGORIES].sort(([a], [b]) => Number(b === 116) - Number(a === 116))) {
    history.insert(deed, id, { category: 'category', name, title, ...meta })
  }
  history.insert(deed, ADMIN, { category: 'person', title: 'Site Administrator', name: 'administrator', ...meta })
  history.addPassword(deed, ADMIN, 'admin', passwordHash)
  for (const [id, name, title, subjects, objects] of PREDICATES) {
    history.insert(deed, id, { category: 'predicate', name, title, ...meta, props: { reversed: false } })
    for (const category of subjects) {
      history.addRow('predicate_category', { is_subject: true, predicate_id: id, category_id: history.idOf(category) })
    }
    for (const category of objects) {
      history.addRow('predicate_category', { is_subject: false, predicate_id: id, category_id: history.idOf(category) })
    }
  }
  history.insert(deed, CONTENT_GROUP, {
    category: 'content_group',
    name: 'default_content_group',
    title: SITE_TITLE,
    props: { installed_by: 'mod_content_groups', managed_props: termMap({ title: 'Default content group' }) },
  })
  for (const [id, , parentId, number] of numbers) {
    history.addRow('hierarchy', { name: '$category', id, parent_id: parentId, ...number })
  }
  history.addRow('hierarchy', {
    name: 'content_group',
    id: CONTENT_GROUP,
    parent_id: null,
    nr: 1_000_000,
    lvl: 1,
    lft: 1_000_000,
    rght: 1_000_000,
  })
  for (const name of MODULES)
    history.addRow('module', { name, uri: '', is_active: true, created: at, modified: at, schema_version: null })
  history.configure(deed, 'i18n', 'language', 'en')
  history.configure(deed, 'mod_authentication', 'password_min_length', '12')
  history.configure(deed, 'zotonic', 'version', '1.0.0-rc.17')
  history.configure(deed, 'mod_backup', 'daily_dump', '1')
  history.configure(deed, 'mod_backup', 'revision_retention_months', '18')
}

type Numbered = [
  id: number,
  name: string,
  parentId: number | null,
  number: { nr: number; lvl: number; lft: number; rght: number },
]

/** The tree in order, each node with the numbers of its last descendant: `lft`..`rght` covers a whole branch. */
function numberCategories(): Numbered[] {
  const numbered: Numbered[] = []
  const visit = (parent: string | null, parentId: number | null, lvl: number): number => {
    let last = numbered.length * 1_000_000
    for (const [id, name, above] of CATEGORIES) {
      if (above !== parent) continue
      const nr = (numbered.length + 1) * 1_000_000
      const number = { nr, lvl, lft: nr, rght: nr }
      numbered.push([id, name, parentId, number])
      number.rght = Math.max(nr, visit(name, id, lvl + 1))
      last = number.rght
    }
    return last
  }
  visit(null, null, 1)
  return numbered
}
