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
  timeout: 120_000,
  expect: { timeout: 15_000 },
  forbidOnly: Boolean(process.env.CI),
})
