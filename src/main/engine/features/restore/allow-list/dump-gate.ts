import { AppError } from '#shared/errors.ts'
import { type ScriptPlace, scriptError } from '../script/errors.ts'
import type { ScriptItem } from '../script/script-reader.ts'
import { checkStatement, type StatementFacts } from './index.ts'
import { renameSchema } from './rename-schema.ts'
import { RunsWhileLoading } from './runs.ts'

/** How a dump is to be taken. */
export interface DumpTarget {
  /** The schema that is written: the site's own. */
  schema: string
  /** The schema that the dump makes; default `schema`. Another name becomes `schema` throughout, or is refused. */
  dumpSchema?: string | undefined
  /** Leaves out who owns what: all belongs to the role that loads. */
  withoutOwners?: boolean | undefined
  /** Leaves out who may do what, default privileges included. */
  withoutGrants?: boolean | undefined
}

/** What of a dump was left out. */
export interface LeftOut {
  owners: number
  grants: number
  /** `SET transaction_timeout`, `DROP TABLE`, …: each named once. */
  others: string[]
}

/** A statement as it is to run. */
export interface PassedStatement {
  text: string
  /** Of the statement in the schema that is written. */
  facts: StatementFacts
}

/**
 * Lets the statements of one dump through, in their order: each by the allow-list, and all of them by what a whole dump is.
 * The loader and the plan ask the same.
 */
export class DumpGate {
  readonly leftOut: LeftOut = { owners: 0, grants: 0, others: [] }
  /** Tables that the dump made so far. */
  readonly tables = new Set<string>()
  madeSchema = false
  readonly #target: DumpTarget
  readonly #dumpSchema: string
  #hasTriggers = false
  readonly #runs: RunsWhileLoading

  constructor(target: DumpTarget) {
    this.#target = target
    this.#dumpSchema = target.dumpSchema ?? target.schema
    this.#runs = new RunsWhileLoading(this.#dumpSchema)
  }

  /** Functions that run while the dump is loaded and do more than compute. */
  get runs(): ReadonlySet<string> {
    return this.#runs.found
  }

  /**
   * @returns what is to run; null: nothing, it is left out
   * @throws AppError `statement-refused`, `other-schema`, `script-token`, `schema-in-text`, with the line
   */
  async pass(item: ScriptItem): Promise<PassedStatement | null> {
    const facts = await checkStatement(item.text, this.#dumpSchema, item)
    this.#checkPlace(facts, item)
    const { withoutOwners, withoutGrants } = this.#target
    const isMeant = (facts.about === 'owner' && withoutOwners) || (facts.about === 'grant' && withoutGrants)
    if (facts.unlessLeftOut !== undefined && !isMeant) throw scriptError('statement-refused', facts.unlessLeftOut, item)
    // --clean empties a view first that something in a circle with it needs
    const isEmptied = !this.madeSchema && facts.name === 'CREATE VIEW' && /^create\s+or\s+replace\b/i.test(item.text)
    if (isEmptied || this.#isLeftOut(facts)) return null
    this.#note(facts)
    if (this.#dumpSchema === this.#target.schema) return { text: item.text, facts }
    return this.#renamed(item, facts)
  }

  #checkPlace(facts: StatementFacts, place: ScriptPlace): void {
    const refuse = (what: string) => scriptError('statement-refused', what, place)
    if (facts.name.startsWith('DROP') && this.madeSchema) throw refuse(`${facts.name} is not allowed`)
    if (facts.name !== 'COPY' && facts.name !== 'INSERT') return
    if (!this.tables.has(facts.table ?? '')) throw refuse(`rows for "${facts.table}", which the dump did not make as a table`)
    // a trigger of the dump would run with each row
    if (this.#hasTriggers) throw refuse('rows after a trigger was made')
  }

  #isLeftOut(facts: StatementFacts): boolean {
    const { withoutOwners, withoutGrants } = this.#target
    if (facts.about === 'owner' && withoutOwners) this.leftOut.owners += 1
    else if (facts.about === 'grant' && withoutGrants) this.leftOut.grants += 1
    else if (facts.action === 'skip') {
      if (facts.name !== 'nothing' && !this.leftOut.others.includes(facts.name)) this.leftOut.others.push(facts.name)
    } else return false
    return true
  }

  #note(facts: StatementFacts): void {
    if (facts.name === 'CREATE SCHEMA') this.madeSchema = true
    if (facts.name === 'CREATE TABLE' && facts.table !== undefined) this.tables.add(facts.table)
    if (facts.name === 'CREATE TRIGGER') this.#hasTriggers = true
    this.#runs.note(facts)
  }

  async #renamed(item: ScriptItem, facts: StatementFacts): Promise<PassedStatement> {
    const { schema } = this.#target
    let text: string
    try {
      text = await renameSchema(item.text, facts, this.#dumpSchema, schema)
    } catch (error) {
      if (error instanceof AppError) throw scriptError(error.code, error.message, item)
      throw error
    }
    // what it names is looked at again: now all of it must be in the schema that is written
    return { text, facts: await checkStatement(text, schema, item) }
  }
}
