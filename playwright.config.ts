import { defineConfig } from '@playwright/test'

/** What measures how quick the app is, which tells nothing beside another app. */
const ALONE = ['start.spec.ts', 'responsive.spec.ts']

export default defineConfig({
  testDir: 'test/e2e',
  // each worker drives apps of its own, on a screen of its own
  workers: 2,
  projects: [
    { name: 'alone', testMatch: ALONE, workers: 1, outputDir: 'test-results/e2e-alone' },
    { name: 'together', testIgnore: ALONE, outputDir: 'test-results/e2e' },
  ],
  // far more than anything takes: a machine that is busy with others makes all of it slower
  timeout: 240_000,
  expect: { timeout: 40_000 },
  forbidOnly: Boolean(process.env.CI),
})
