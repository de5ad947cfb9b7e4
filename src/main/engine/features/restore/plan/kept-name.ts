const MAX_NAME_BYTES = 63
const SUFFIX = /^(.+)_before_(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$/

/** `YYYYMMDDHHMMSS`, UTC. */
function stampOf(at: Date): string {
  return at.toISOString().replace(/\D/g, '').slice(0, 14)
}

/** The name under which a schema is set aside: `SCHEMA_before_20261123094200`, at most 63 bytes. */
export function keptName(schema: string, at: Date): string {
  const suffix = `_before_${stampOf(at)}`
  let start = schema
  while (Buffer.byteLength(start) + suffix.length > MAX_NAME_BYTES) start = [...start].slice(0, -1).join('')
  return start + suffix
}

/** When a schema of this name was set aside; null: the name is none that {@link keptName} gives for this schema. */
export function keptMoment(name: string, schema: string): Date | null {
  const [, , year, month, day, hour, minute, second] = SUFFIX.exec(name) ?? []
  const at = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return !Number.isNaN(at.getTime()) && keptName(schema, at) === name ? at : null
}

/** Whether a schema's name is too long for its kept ones to tell it from others that start alike. */
export function isCutWhenKept(schema: string): boolean {
  return !keptName(schema, new Date(0)).startsWith(`${schema}_before_`)
}
