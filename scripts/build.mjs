// npm run build: makes out/ from src/, so that bin/zbd runs and `npm start` has nothing to do.
import { build, ensureInstalled, requireNode } from './lib/steps.mjs'

requireNode()
ensureInstalled()
build()
