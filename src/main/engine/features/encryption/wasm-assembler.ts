/**
 * Just enough of WebAssembly to write one function down as nested expressions of 32 bit numbers, and to get its
 * module as bytes. Source: WebAssembly Core Specification, "Binary Format".
 */

/** An expression (it leaves one number) or a statement, as machine code. */
export type Code = readonly number[]

/** A parameter or variable of the function, by its number; the parameters come first. */
export type Local = number

const I32 = 0x7f
const NO_RESULT = 0x40
const END = 0x0b

export const get = (local: Local): Code => [0x20, ...unsigned(local)]
export const set = (local: Local, value: Code): Code => [...value, 0x21, ...unsigned(local)]
export const number = (value: number): Code => [0x41, ...signed(value)]

export const add = (a: Code, b: Code): Code => [...a, ...b, 0x6a]
export const and = (a: Code, b: Code): Code => [...a, ...b, 0x71]
export const or = (a: Code, b: Code): Code => [...a, ...b, 0x72]
export const xor = (a: Code, b: Code): Code => [...a, ...b, 0x73]
export const shiftLeft = (value: Code, bits: number): Code => [...value, ...number(bits), 0x74]
export const shiftRight = (value: Code, bits: number): Code => [...value, ...number(bits), 0x76]
export const rotateLeft = (value: Code, bits: number): Code => [...value, ...number(bits), 0x77]
export const isBelow = (a: Code, b: Code): Code => [...a, ...b, 0x49]

/** Four bytes of the memory, lowest first, at `offset + address`. */
export const loadWord = (offset: number, address: Code): Code => [...address, 0x28, 0, ...unsigned(offset)]
export const loadByte = (offset: number, address: Code): Code => [...address, 0x2d, 0, ...unsigned(offset)]
export const storeByte = (offset: number, address: Code, value: Code): Code => [
  ...address,
  ...value,
  0x3a,
  0,
  ...unsigned(offset),
]

/** Runs the statements, and again as long as `condition` holds after them. */
export const repeatWhile = (condition: Code, statements: readonly Code[]): Code => [
  0x03,
  NO_RESULT,
  ...statements.flat(),
  ...condition,
  0x0d,
  0,
  END,
]

/** The bytes of a module that exports its memory as `memory`, and as `run` a function without a result. */
export function moduleBytes(options: {
  pages: number
  parameters: number
  variables: number
  body: readonly Code[]
}): Uint8Array<ArrayBuffer> {
  const { pages, parameters, variables, body } = options
  const code = [...unsigned(1), ...unsigned(variables), I32, ...body.flat(), END]
  return new Uint8Array([
    ...text('\0asm'),
    ...[1, 0, 0, 0],
    ...section(1, [1, 0x60, ...unsigned(parameters), ...Array.from({ length: parameters }, () => I32), 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...unsigned(pages)]),
    ...section(7, [2, ...exported('memory', 2), ...exported('run', 0)]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ])
}

const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content]
const exported = (name: string, kind: number): Code => [...unsigned(name.length), ...text(name), kind, 0]
const text = (ascii: string): Code => [...ascii].map((character) => character.charCodeAt(0))

/** LEB128: seven bits a byte, lowest first; the top bit says that more follow. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

/** The same for numbers with a sign, which the last byte's second bit tells. */
function signed(value: number): Code {
  const isLast = value >= -64 && value < 64
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)]
}
