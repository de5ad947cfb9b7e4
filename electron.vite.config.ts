import { builtinModules } from 'node:module'
import { resolve } from 'node:path'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'electron-vite'
import manifest from './package.json' with { type: 'json' }
import { nativeParts } from './scripts/lib/native-parts.ts'

const define = { __APP_VERSION__: JSON.stringify(manifest.version) }
const external = ['electron', ...nativeParts, /^node:/, ...builtinModules]

const DEV_PORT = 5173

// Everything is bundled but the embedded databases: the packaged app has no node_modules to look into.
export default defineConfig({
  main: {
    define,
    build: {
      externalizeDeps: false,
      target: 'node20',
      outDir: 'out/main',
      minify: false,
      rollupOptions: {
        external,
        input: {
          index: resolve('src/main/index.ts'),
          engine: resolve('src/main/engine/engine.ts'),
          worker: resolve('src/main/engine/worker.ts'),
          zbd: resolve('src/main/cli/index.ts'),
        },
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
      },
    },
  },
  preload: {
    define,
    build: {
      externalizeDeps: false,
      target: 'node20',
      outDir: 'out/preload',
      minify: false,
      rollupOptions: {
        external: ['electron'],
        input: { preload: resolve('src/main/preload.ts'), confirm: resolve('src/main/shell/confirm-preload.ts') },
        // a sandboxed preload is one CommonJS file
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: 'src/renderer',
    define,
    plugins: [react()],
    // the app:// handler puts a fresh nonce in its place, also for what the development server writes into the page
    html: { cspNonce: '__CSP_NONCE__' },
    // the page's own origin is app://desk, so hot reload has to be told where the server is
    server: { port: DEV_PORT, strictPort: true, hmr: { protocol: 'ws', host: 'localhost', clientPort: DEV_PORT } },
    build: {
      target: 'chrome130',
      minify: true,
      // read from this computer's disk, at once
      chunkSizeWarningLimit: 2000,
      outDir: resolve('out/renderer'),
      // the page's CSP names no data: scripts, and files are local: nothing is won by inlining
      assetsInlineLimit: 0,
      rollupOptions: {
        input: { index: resolve('src/renderer/index.html'), confirm: resolve('src/renderer/confirm/confirm.html') },
      },
    },
  },
})
