import '@mantine/core/styles.layer.css'
import './global.css'
import { type MantineColorScheme, type MantineColorSchemeManager, MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { setNonce } from 'get-nonce'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { cspNonce } from './bridge.ts'
import { queryClient } from './queries.ts'
import { cssVariablesResolver, theme } from './theme.ts'

const nonce = cspNonce()
setNonce(nonce)

/** The choice lives in the preferences; the window's own storage is not used. */
function memoryColorScheme(): MantineColorSchemeManager {
  let scheme: MantineColorScheme | null = null
  return {
    get: (defaultValue) => scheme ?? defaultValue,
    set: (value) => {
      scheme = value
    },
    subscribe: () => undefined,
    unsubscribe: () => undefined,
    clear: () => {
      scheme = null
    },
  }
}

const root = document.getElementById('root')
if (!root) throw new Error('The page has no root element')

createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariablesResolver}
      colorSchemeManager={memoryColorScheme()}
      defaultColorScheme="auto"
      getStyleNonce={() => nonce}
    >
      <QueryClientProvider client={queryClient}>
        <App />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
)
