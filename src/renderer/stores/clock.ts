import { useEffect, useState } from 'react'

/** The present moment, renewed every `seconds`; ages and the clock are read from it. */
export function useNow(seconds = 15): Date {
  const [now, setNow] = useState(() => new Date())
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), seconds * 1000)
    return () => clearInterval(timer)
  }, [seconds])
  return now
}
