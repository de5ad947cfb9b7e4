import type { Dependency } from './catalogue/dependencies.ts'
import { unsupportedError } from './errors.ts'
import { type DumpNode, NODE_KINDS, type ObjectKey } from './node.ts'

/** Which parts are taken out of their entry first to open a circle of dependencies. */
const OPENING_ORDER: DumpNode['kind'][][] = [['DEFAULT', 'CHECK CONSTRAINT'], ['VIEW DEFINITION']]

/**
 * Puts the entries in an order in which each finds what it needs: by kind and name, later where a dependency says so.
 * A circle is opened by writing a default, a check or a view's query as a statement of its own, after the rest.
 * @throws AppError `dump-unsupported` for a circle that can't be opened
 */
export function orderNodes(schema: string, nodes: readonly DumpNode[], dependencies: readonly Dependency[]): DumpNode[] {
  const byKey = new Map<ObjectKey, DumpNode>()
  for (const node of nodes) {
    byKey.set(node.key, node)
    for (const key of node.includes) byKey.set(key, node)
  }
  const needs = collectNeeds(nodes, byKey, dependencies)
  for (;;) {
    const { ordered, stuck } = attempt(nodes, needs)
    if (stuck.size === 0) return ordered
    if (!openCircle(stuck, needs)) {
      throw unsupportedError(
        schema,
        [...circle(stuck, needs)].map((node) => ({
          kind: `circle of dependencies through ${node.kind.toLowerCase()}`,
          name: node.name,
        })),
      )
    }
  }
}

type Needs = Map<DumpNode, Set<DumpNode>>

/** What each entry and each part needs by itself. */
function collectNeeds(nodes: readonly DumpNode[], byKey: Map<ObjectKey, DumpNode>, dependencies: readonly Dependency[]): Needs {
  const needs: Needs = new Map(nodes.map((node) => [node, new Set<DumpNode>()]))
  const add = (from: DumpNode | undefined, on: DumpNode | undefined) => {
    if (from && on && from !== on) needs.get(from)?.add(on)
  }
  for (const node of nodes) for (const key of node.needs) add(node, byKey.get(key))
  for (const dependency of dependencies) add(byKey.get(dependency.from), byKey.get(dependency.on))
  return needs
}

/** The entry that a node is written in: itself or, while it is a part, its whole. */
function entryOf(node: DumpNode): DumpNode {
  return node.inside ?? node
}

function* entryNeeds(entry: DumpNode, needs: Needs): Generator<DumpNode> {
  for (const node of [entry, ...entry.parts.filter((part) => part.inside === entry)]) {
    for (const need of needs.get(node) ?? []) {
      const other = entryOf(need)
      if (other !== entry) yield other
    }
  }
}

function attempt(nodes: readonly DumpNode[], needs: Needs): { ordered: DumpNode[]; stuck: Set<DumpNode> } {
  const entries = nodes.filter((node) => node.inside === null).sort(compareNodes)
  const rank = new Map(entries.map((entry, at) => [entry, at]))
  const waitingFor = new Map<DumpNode, Set<DumpNode>>()
  const neededBy = new Map<DumpNode, DumpNode[]>()
  const ready = new RankQueue()
  for (const entry of entries) {
    const others = new Set(entryNeeds(entry, needs))
    waitingFor.set(entry, others)
    for (const other of others) {
      const list = neededBy.get(other)
      if (list) list.push(entry)
      else neededBy.set(other, [entry])
    }
    if (others.size === 0) ready.push(rank.get(entry) ?? 0)
  }
  const ordered: DumpNode[] = []
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    const entry = entries[next]
    if (!entry) break
    ordered.push(entry)
    waitingFor.delete(entry)
    for (const other of neededBy.get(entry) ?? []) {
      const waits = waitingFor.get(other)
      if (waits?.delete(entry) && waits.size === 0) ready.push(rank.get(other) ?? 0)
    }
  }
  return { ordered, stuck: new Set(waitingFor.keys()) }
}

const KIND_RANK = new Map(NODE_KINDS.map((kind, at) => [kind, at]))

function compareNodes(a: DumpNode, b: DumpNode): number {
  const byKind = (KIND_RANK.get(a.kind) ?? 0) - (KIND_RANK.get(b.kind) ?? 0)
  if (byKind !== 0) return byKind
  if (a.name !== b.name) return a.name < b.name ? -1 : 1
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}

/** Takes the parts that hold a circle together out of their entries. False when there is nothing to take out. */
function openCircle(stuck: ReadonlySet<DumpNode>, needs: Needs): boolean {
  const members = circle(stuck, needs)
  for (const kinds of OPENING_ORDER) {
    let opened = false
    for (const entry of members) {
      for (const part of entry.parts) {
        if (part.inside !== entry || !kinds.includes(part.kind)) continue
        const holds = [...(needs.get(part) ?? [])].some((need) => entryOf(need) !== entry && members.has(entryOf(need)))
        if (!holds) continue
        part.inside = null
        opened = true
      }
    }
    if (opened) return true
  }
  return false
}

/** Walks from need to need among the stuck entries until one comes up again. */
function circle(stuck: ReadonlySet<DumpNode>, needs: Needs): Set<DumpNode> {
  const path: DumpNode[] = []
  const at = new Map<DumpNode, number>()
  let [entry] = stuck
  while (entry && !at.has(entry)) {
    at.set(entry, path.length)
    path.push(entry)
    const next: DumpNode | undefined = [...entryNeeds(entry, needs)].find((need) => stuck.has(need))
    entry = next
  }
  return new Set(entry ? path.slice(at.get(entry)) : path)
}

/** A binary heap of ranks: the smallest comes first. */
class RankQueue {
  readonly #heap: number[] = []

  push(rank: number): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(rank)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if ((heap[parent] ?? 0) <= rank) break
      heap[at] = heap[parent] ?? 0
      at = parent
    }
    heap[at] = rank
  }

  pop(): number | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child += 1
      if ((heap[child] ?? 0) >= last) break
      heap[at] = heap[child] ?? 0
      at = child
    }
    heap[at] = last
    return first
  }
}
