/** What the palette shows for a typed text: every word must occur; titles that start with it come first. */
export function matchCommands<C extends { title: string; group: string }>(commands: readonly C[], typed: string): C[] {
  const words = typed
    .trim()
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  if (words.length === 0) return [...commands]
  const first = words[0] ?? ''
  return commands
    .filter((command) => words.every((word) => `${command.group} ${command.title}`.toLowerCase().includes(word)))
    .sort((a, b) => Number(b.title.toLowerCase().startsWith(first)) - Number(a.title.toLowerCase().startsWith(first)))
}
