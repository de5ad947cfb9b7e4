import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Page } from '@playwright/test'

/** Everything that stands in a page, the values of its fields included. */
export async function textOf(page: Page): Promise<string> {
  return page.evaluate(() => {
    const fields = [...document.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>('input, textarea')]
    const stores = [JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage })]
    return [document.documentElement.outerHTML, ...fields.map(({ value }) => value), ...stores].join('\n')
  })
}

/** The files below a folder that hold one of these texts, as `FILE: which`. */
export async function filesWith(folder: string, secrets: Record<string, string>, except: string[] = []): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = relative(folder, path)
    if (!entry.isFile() || except.some((start) => name.startsWith(start))) continue
    const bytes = await readFile(path).catch(() => Buffer.alloc(0))
    for (const [which, secret] of Object.entries(secrets)) {
      const forms = [Buffer.from(secret), Buffer.from(secret, 'utf16le'), Buffer.from(Buffer.from(secret).toString('base64'))]
      if (forms.some((form) => bytes.includes(form))) found.push(`${name}: ${which}`)
    }
  }
  return found
}
