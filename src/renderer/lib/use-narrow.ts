import { useMediaQuery } from '@mantine/hooks'

/** Under 1000 px: inspectors become drawers and tables drop columns. */
export function useNarrow(): boolean {
  return useMediaQuery('(max-width: 999px)', window.innerWidth < 1000)
}
