import { z } from 'zod'
import { startedSchema } from './backups.ts'
import { defineProcedure } from './define.ts'

const path = z.string().min(1).max(4096)

export const decrypt = {
  /**
   * Decrypts `.enc` files as one job with an item per file (`facts`: path, output, size, passwordSource).
   * Stored passwords are tried first, then the given ones. A file whose password is missing or wrong is an
   * item `needs-password`; the others go on and the job waits for it.
   */
  'decrypt.start': defineProcedure({
    input: z.strictObject({
      files: z.array(path).min(1).max(500),
      /** Folder for the output; default: beside each file. */
      out: path.optional(),
      passwords: z.array(z.string().max(1024)).max(20).default([]),
      overwrite: z.boolean().default(false),
      /** False (a terminal without a person): a file without a fitting password fails instead of waiting. */
      interactive: z.boolean().default(true),
    }),
    output: startedSchema,
    effect: 'local',
  }),
  /** Tries a password for an item that needs one; with `rememberFor` (a site) it is stored when it fits. */
  'decrypt.tryPassword': defineProcedure({
    input: z.strictObject({
      jobId: z.string(),
      item: z.string(),
      password: z.string().min(1).max(1024),
      rememberFor: z.string().optional(),
    }),
    output: z.object({ accepted: z.boolean() }),
    effect: 'local',
  }),
  'decrypt.skip': defineProcedure({
    input: z.strictObject({ jobId: z.string(), item: z.string() }),
    output: z.object({}),
    effect: 'local',
  }),
  /** For files dropped or dragged over: name, size, and whether it starts like a Zotonic backup. */
  'decrypt.look': defineProcedure({
    input: z.strictObject({ files: z.array(path).max(500) }),
    output: z.object({
      files: z.array(
        z.object({ path: z.string(), name: z.string(), size: z.number(), encrypted: z.boolean(), site: z.string().nullable() }),
      ),
    }),
    effect: 'read',
  }),
}
