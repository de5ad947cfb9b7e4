import { expect, test } from 'vitest'
import type { Dependency } from '#engine/features/backup/dump/catalogue/dependencies.ts'
import { type DumpNode, makeNode, type NodeKind } from '#engine/features/backup/dump/node.ts'
import { orderNodes } from '#engine/features/backup/dump/order.ts'

function node(kind: NodeKind, name: string, inside: DumpNode | null = null): DumpNode {
  return makeNode({ key: name, kind, name, owner: 'o', inside, needs: inside ? [inside.key] : [], write: () => name })
}

/** `a>b`: a needs b. */
function needs(...pairs: string[]): Dependency[] {
  return pairs.map((pair) => {
    const [from = '', on = ''] = pair.split('>')
    return { from, on }
  })
}

function order(nodes: DumpNode[], ...pairs: string[]): string[] {
  return orderNodes('s', nodes, needs(...pairs)).map((entry) => entry.name)
}

test('by kind, then by name', () => {
  const nodes = [node('TRIGGER', 'x'), node('TABLE DATA', 'd'), node('TABLE', 'b'), node('TABLE', 'a'), node('SCHEMA', 's')]
  expect(order(nodes)).toEqual(['s', 'a', 'b', 'd', 'x'])
})

test('later than kind and name say, when something is needed first', () => {
  const nodes = [node('FUNCTION', 'f'), node('TABLE', 't'), node('VIEW', 'a'), node('VIEW', 'b'), node('CONSTRAINT', 'pk')]
  expect(order(nodes, 'f>t', 'a>b', 'b>pk', 'pk>t')).toEqual(['t', 'f', 'pk', 'b', 'a'])
})

test('a default stays in its table while that makes no circle, and its needs count for the table', () => {
  const table = node('TABLE', 't')
  const part = node('DEFAULT', 'd', table)
  expect(order([table, part, node('SEQUENCE', 'z')], 'd>z')).toEqual(['z', 't'])
  expect(part.inside).toBe(table)
})

test('a circle through a default or a check opens there, and only there', () => {
  const table = node('TABLE', 't')
  const looping = node('DEFAULT', 'looping', table)
  const plain = node('DEFAULT', 'plain', table)
  expect(order([table, looping, plain, node('FUNCTION', 'f')], 'looping>f', 'f>t')).toEqual(['t', 'f', 'looping'])
  expect(looping.inside).toBeNull()
  expect(plain.inside).toBe(table)
})

test('a circle through a view gets a stand-in first and the query at the end', () => {
  const view = node('VIEW', 'v')
  const query = node('VIEW DEFINITION', 'query', view)
  expect(order([view, query, node('FUNCTION', 'f')], 'query>f', 'f>v')).toEqual(['v', 'f', 'query'])
})

test('two circles in one schema both open', () => {
  const a = node('TABLE', 'a')
  const b = node('TABLE', 'b')
  const nodes = [
    a,
    b,
    node('CHECK CONSTRAINT', 'ca', a),
    node('CHECK CONSTRAINT', 'cb', b),
    node('FUNCTION', 'fa'),
    node('FUNCTION', 'fb'),
  ]
  expect(order(nodes, 'ca>fa', 'fa>a', 'cb>fb', 'fb>b', 'ca>fb')).toEqual(['a', 'fa', 'b', 'fb', 'ca', 'cb'])
})

test('a circle that nothing opens is refused by the names in it, and no others', () => {
  const nodes = [node('FUNCTION', 'one'), node('FUNCTION', 'two'), node('FUNCTION', 'after'), node('FUNCTION', 'free')]
  expect(() => order(nodes, 'one>two', 'two>one', 'after>one')).toThrow(
    expect.objectContaining({
      code: 'dump-unsupported',
      details: {
        schema: 's',
        objects: expect.toSatisfy(
          (objects: { name: string }[]) =>
            objects
              .map((o) => o.name)
              .sort()
              .join() === 'one,two',
        ),
      },
    }),
  )
})

test('a chain of thousands of entries', () => {
  const nodes = Array.from({ length: 5000 }, (_, at) => node('TABLE', `t${at}`))
  const chain = Array.from({ length: 4999 }, (_, at) => `t${at}>t${at + 1}`)
  const names = order(nodes, ...chain)
  expect(names[0]).toBe('t4999')
  expect(names.at(-1)).toBe('t0')
})
