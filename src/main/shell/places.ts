import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `out/main`, also when this code ended up in a shared chunk below it. */
const here = dirname(fileURLToPath(import.meta.url))
const mainFolder = here.endsWith('chunks') ? dirname(here) : here

/** Where the build put its files (docs/architecture.md). */
export const places = {
  engine: join(mainFolder, 'engine.js'),
  preload: join(mainFolder, '..', 'preload', 'preload.cjs'),
  confirmPreload: join(mainFolder, '..', 'preload', 'confirm.cjs'),
  renderer: join(mainFolder, '..', 'renderer'),
  icon: join(mainFolder, '..', '..', 'assets', 'icon.png'),
}

export const APP_ORIGIN = 'app://desk'
