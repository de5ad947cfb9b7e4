/*
 * npm run bench: every ratio in one table, or with --json as one document.
 * --quick: reduced sizes, nothing is judged. Names as arguments: only these.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Bench } from './bench.ts'

interface Row {
  name: string
  ours: number | null
  theirs: number | null
  unit: string
  ratio: number | null
  bound: string
  /** null: not judged (reduced sizes). */
  ok: boolean | null
  against: string
  note: string
}

const asked = process.argv.slice(2)
const isJson = asked.includes('--json')
const isQuick = asked.includes('--quick')
const names = asked.filter((word) => !word.startsWith('-'))
const say = (text: string) => process.stderr.write(`${text}\n`)

const here = dirname(fileURLToPath(import.meta.url))
const benches: Bench[] = []
for (const file of (await readdir(here)).filter((name) => name.endsWith('.bench.ts')).sort()) {
  const found = (await import(pathToFileURL(join(here, file)).href)) as { benches: Bench[] }
  benches.push(...found.benches)
}
const unknown = names.filter((name) => !benches.some((bench) => bench.name === name))
if (unknown.length > 0) {
  say(`There is no bench ${unknown.join(', ')}. There are: ${benches.map(({ name }) => name).join(', ')}.`)
  process.exit(2)
}

const rows: Row[] = []
for (const bench of benches) {
  if (names.length > 0 && !names.includes(bench.name)) continue
  say(`${bench.name}: against ${bench.against}`)
  rows.push(await measure(bench))
}
if (isJson) console.log(JSON.stringify({ cores: availableParallelism(), isQuick, benches: rows }, null, 2))
else printTable(rows)
process.exitCode = rows.some(({ ok }) => ok === false) ? 1 : 0

async function measure(bench: Bench): Promise<Row> {
  const folder = await mkdtemp(join(tmpdir(), `bench-${bench.name}-`))
  const { name, against } = bench
  const bound = 'atMost' in bench.bound ? `≤ ${bench.bound.atMost}` : `≥ ${bench.bound.atLeast}`
  try {
    const { ours, theirs, unit, note } = await bench.run({ isQuick, folder, say: (text) => say(`  ${text}`) })
    const ratio = ours / theirs
    const holds = 'atMost' in bench.bound ? ratio <= bench.bound.atMost : ratio >= bench.bound.atLeast
    return { name, ours, theirs, unit, ratio, bound, ok: isQuick ? null : holds, against, note }
  } catch (error) {
    const note = `failed: ${error instanceof Error ? error.message : String(error)}`
    return { name, ours: null, theirs: null, unit: '', ratio: null, bound, ok: false, against, note }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function printTable(shown: Row[]): void {
  const figure = (value: number | null, unit = '') => (value === null ? '–' : `${value.toFixed(2)}${unit && ` ${unit}`}`)
  const lines = [
    ['name', 'ours', 'theirs', 'ratio', 'bound', 'ok', 'against'],
    ...shown.map((row) => [
      row.name,
      figure(row.ours, row.unit),
      figure(row.theirs, row.unit),
      figure(row.ratio),
      row.bound,
      row.ok === null ? '–' : row.ok ? 'yes' : 'NO',
      row.against,
    ]),
  ]
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
  for (const { name, note } of shown) console.log(`${name}: ${note}`)
}
