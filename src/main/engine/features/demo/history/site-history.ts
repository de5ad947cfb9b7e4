import { createHash } from 'node:crypto'
import { encodeDatabaseTerm, encodeTerm } from '#engine/foundation/erlang/encode.ts'
import { atom, type Term, termMap, tuple } from '#engine/foundation/erlang/terms.ts'
import type { Text } from '../content/types.ts'
import { englishOf, mediumLogTerm, revisionTerm } from './properties.ts'
import {
  type Changes,
  type Edge,
  type LogTable,
  type MediaFile,
  type Medium,
  noChanges,
  type Resource,
  type Row,
} from './records.ts'

const ERASED_AFTER_MS = 28 * 86_400_000

/** Who does something, and when. */
export interface Deed {
  at: Date
  by: number
}

export type NewResource = Partial<Omit<Resource, 'id' | 'categoryId' | 'version' | 'created' | 'modified' | 'props'>> & {
  category: string
  title: Text | string
  props?: Record<string, Term>
}

export type ResourceChange = Partial<
  Pick<Resource, 'title' | 'isPublished' | 'isFeatured' | 'languages' | 'pagePath' | 'dateStart' | 'dateEnd'>
> & { props?: Record<string, Term> }

/**
 * A site that is lived in: each deed changes its present state and leaves the traces that a real server leaves:
 * revisions, edge and medium logs, the list of what is gone. {@link takeChanges} hands over what is new since the last time.
 */
export class SiteHistory {
  readonly resources = new Map<number, Resource>()
  readonly edges = new Map<string, Edge>()
  readonly media = new Map<number, Medium>()
  /** Position of each category in the tree. */
  readonly categoryNumbers = new Map<number, number>()
  readonly #openMediumLog = new Map<number, { id: number; row: Row }>()
  readonly #serials = new Map<string, number>()
  readonly #names = new Map<string, number>()
  #erasures: { filename: string; at: Date }[] = []
  #changes = noChanges()

  takeChanges(): Changes {
    const taken = this.#changes
    this.#changes = noChanges()
    return taken
  }

  /** The id of a resource by its unique name. */
  idOf(name: string): number {
    const id = this.#names.get(name)
    if (id === undefined) throw new RangeError(`nothing is named ${name}`)
    return id
  }

  resource(id: number): Resource {
    const found = this.resources.get(id)
    if (!found) throw new RangeError(`there is no resource ${id}`)
    return found
  }

  insert(deed: Deed, id: number | null, input: NewResource): number {
    const { category, title, props, ...rest } = input
    const resource: Resource = {
      id: id ?? this.#nextResourceId(),
      name: null,
      categoryId: 0,
      isPublished: true,
      isFeatured: false,
      isProtected: false,
      isDependent: false,
      publicationStart: deed.at,
      creatorId: deed.by,
      modifierId: deed.by,
      version: 1,
      languages: typeof title === 'string' ? ['en'] : ['en', 'nl'],
      title,
      pagePath: null,
      dateStart: null,
      dateEnd: null,
      firstName: null,
      surname: null,
      latitude: null,
      longitude: null,
      created: deed.at,
      modified: deed.at,
      props: new Map(Object.entries(props ?? {})),
      isPropertyList: false,
      ...rest,
    }
    if (resource.name !== null) this.#names.set(resource.name, resource.id)
    resource.categoryId = this.idOf(category)
    this.resources.set(resource.id, resource)
    this.#changes.resources.add(resource.id)
    if (!resource.isPropertyList) this.#addRevision(deed, resource, 'P')
    return resource.id
  }

  update(deed: Deed, id: number, change: ResourceChange): void {
    const { props, ...columns } = change
    const resource = this.resource(id)
    Object.assign(resource, columns, { modified: deed.at, modifierId: deed.by, version: resource.version + 1 })
    // a new map: revisions already hold the old one's values
    resource.props = new Map([...resource.props, ...Object.entries(props ?? {})])
    this.#changes.resources.add(id)
    this.#addRevision(deed, resource, 'P')
  }

  remove(deed: Deed, id: number, options: { isPersonalData?: boolean } = {}): void {
    const resource = this.resource(id)
    this.#addRevision(deed, resource, 'D')
    for (const edge of [...this.edges.values()]) {
      if (edge.subjectId === id || edge.objectId === id) this.#dropEdge(deed, edge)
    }
    this.#detach(deed, id)
    this.#add('rsc_gone', {
      id,
      version: resource.version,
      name: resource.name,
      page_paths: resource.pagePath === null ? null : [resource.pagePath],
      is_authoritative: true,
      creator_id: resource.creatorId,
      modifier_id: deed.by,
      created: resource.created,
      modified: deed.at,
      is_personal_data: options.isPersonalData ?? false,
    })
    this.resources.delete(id)
    this.#changes.resources.delete(id)
    this.#changes.removedResources.add(id)
  }

  connect(deed: Deed, subjectId: number, predicate: string, objectId: number): void {
    const predicateId = this.idOf(predicate)
    const key = `${subjectId}/${predicateId}/${objectId}`
    if (this.edges.has(key)) return
    const edge: Edge = {
      id: this.#serial('edge'),
      subjectId,
      predicateId,
      objectId,
      seq: 1_000_000,
      creatorId: deed.by,
      created: deed.at,
    }
    this.edges.set(key, edge)
    this.#changes.edges.push(edge)
    this.#logEdge(deed, edge, 'INSERT')
  }

  disconnect(deed: Deed, subjectId: number, predicate: string, objectId: number): void {
    const edge = this.edges.get(`${subjectId}/${this.idOf(predicate)}/${objectId}`)
    if (edge) this.#dropEdge(deed, edge)
  }

  /** Uploads a file for a resource; one that was there before is replaced and will be erased. */
  attach(deed: Deed, id: number, file: MediaFile): void {
    this.#detach(deed, id)
    const dot = file.name.lastIndexOf('.')
    const digest = createHash('sha256').update(file.bytes).digest('hex')
    const number = Number.parseInt(digest.slice(0, 7), 16)
    const day = deed.at.toISOString().slice(0, 10).replaceAll('-', '/')
    const medium: Medium = {
      id,
      filename: `${day}/${file.name.slice(0, dot)}-${number}${file.name.slice(dot)}`,
      originalName: file.name,
      mime: file.mime,
      width: file.width,
      height: file.height,
      digest,
      size: file.bytes.length,
      created: deed.at,
    }
    this.media.set(id, medium)
    this.#changes.media.add(id)
    this.#changes.files.set(medium.filename, { bytes: file.bytes, modified: deed.at })
    this.#add('medium_log', { id: this.#serial('medium_log'), usr_id: deed.by, filename: medium.filename, created: deed.at })
    const log = {
      id: this.#serial('backup_medium_log'),
      row: { rsc_id: id, props: encodeDatabaseTerm(mediumLogTerm(medium)), medium_created: deed.at, medium_deleted: null },
    }
    this.#openMediumLog.set(id, log)
    this.#changes.mediumLog.set(log.id, { id: log.id, ...log.row })
  }

  configure(deed: Deed, module: string, key: string, value: string): void {
    const props = encodeDatabaseTerm(termMap({ is_secret: /password|secret/.test(key) }))
    const name = `${module}/${key}`
    this.#changes.config.set(name, {
      id: this.#serialOf('config', name),
      module,
      key,
      value,
      props,
      created: deed.at,
      modified: deed.at,
    })
    this.note(deed, 'info', 'm_config', `Configuration ${module}.${key} changed`)
  }

  note(deed: Deed, type: string, module: string, message: string): void {
    this.#add('log', {
      id: this.#serial('log'),
      user_id: deed.by,
      type,
      module,
      props: encodeDatabaseTerm(termMap({ message })),
      created: deed.at,
    })
  }

  addPassword(deed: Deed, id: number, username: string, hash: string): void {
    this.#addIdentity(deed, id, 'username_pw', username, encodeDatabaseTerm(tuple(atom('bcrypt'), hash)))
  }

  addEmail(deed: Deed, id: number, address: string): void {
    this.#addIdentity(deed, id, 'email', address, null)
  }

  addRow(table: 'module' | 'predicate_category' | 'hierarchy', row: Row): void {
    this.#add(table, table === 'hierarchy' ? row : { id: this.#serial(table), ...row })
  }

  /** Erases files that were queued four weeks ago, as the server does every night. */
  eraseOldFiles(at: Date): void {
    const isDue = (entry: { at: Date }) => at.getTime() - entry.at.getTime() > ERASED_AFTER_MS
    for (const { filename } of this.#erasures.filter(isDue)) this.#changes.files.set(filename, null)
    this.#erasures = this.#erasures.filter((entry) => !isDue(entry))
  }

  #add(table: LogTable, row: Row): void {
    this.#changes.rows[table].push(row)
  }

  #addIdentity(deed: Deed, id: number, type: string, key: string, propb: Buffer | null): void {
    this.#add('identity', {
      id: this.#serial('identity'),
      rsc_id: id,
      type,
      key,
      is_unique: type === 'username_pw',
      is_verified: true,
      propb,
      created: deed.at,
      modified: deed.at,
    })
  }

  #addRevision(deed: Deed, resource: Resource, type: 'P' | 'D'): void {
    const term = revisionTerm(resource, type, this.categoryNumbers.get(resource.categoryId) ?? 0)
    const user = this.resources.get(deed.by)
    this.#add('backup_revision', {
      id: this.#serial('backup_revision'),
      type,
      rsc_id: resource.id,
      created: deed.at,
      version: resource.version,
      user_id: deed.by,
      user_name: user ? englishOf(user.title).slice(0, 80) : null,
      data_type: 'erlang',
      data: encodeTerm(term, { compressed: true }),
    })
  }

  #dropEdge(deed: Deed, edge: Edge): void {
    this.edges.delete(`${edge.subjectId}/${edge.predicateId}/${edge.objectId}`)
    const { edges } = this.#changes
    const unwritten = edges.indexOf(edge)
    if (unwritten >= 0) edges.splice(unwritten, 1)
    else this.#changes.removedEdges.add(edge.id)
    this.#logEdge(deed, edge, 'DELETE')
  }

  #logEdge(deed: Deed, edge: Edge, op: 'INSERT' | 'DELETE'): void {
    const predicate = this.resource(edge.predicateId).name
    const ends = { subject_id: edge.subjectId, object_id: edge.objectId }
    this.#add('edge_log', {
      id: this.#serial('edge_log'),
      op,
      edge_id: edge.id,
      ...ends,
      predicate_id: edge.predicateId,
      predicate,
      seq: edge.seq,
      logged: deed.at,
      created: op === 'DELETE' ? edge.created : null,
    })
    this.#add('backup_edge_log', {
      id: this.#serial('backup_edge_log'),
      ...ends,
      predicate,
      is_insert: op === 'INSERT',
      timestamp: deed.at,
    })
  }

  #detach(deed: Deed, id: number): void {
    const medium = this.media.get(id)
    if (!medium) return
    this.media.delete(id)
    this.#changes.media.delete(id)
    this.#erasures.push({ filename: medium.filename, at: deed.at })
    this.#add('medium_deleted', { id: this.#serial('medium_deleted'), filename: medium.filename, deleted: deed.at })
    const log = this.#openMediumLog.get(id)
    if (log) this.#changes.mediumLog.set(log.id, { id: log.id, ...log.row, medium_deleted: deed.at })
  }

  #nextResourceId(): number {
    return 340 + this.#serial('rsc')
  }

  #serial(name: string): number {
    const next = (this.#serials.get(name) ?? 0) + 1
    this.#serials.set(name, next)
    return next
  }

  /** A number that stays the same for the same thing. */
  #serialOf(name: string, thing: string): number {
    const key = `${name} ${thing}`
    const known = this.#serials.get(key) ?? this.#serial(name)
    this.#serials.set(key, known)
    return known
  }
}
