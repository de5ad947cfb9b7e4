import type { ConfirmBridge } from '#shared/contract/confirm-bridge.ts'

declare global {
  interface Window {
    confirmDesk: ConfirmBridge
  }
}

const bridge = window.confirmDesk

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id)
  if (!found) throw new Error(`The page has no element ${id}`)
  return found as T
}

const name = element<HTMLInputElement>('name')
const run = element<HTMLButtonElement>('run')
const cancel = element<HTMLButtonElement>('cancel')

async function show(): Promise<void> {
  const { question, text, facts, typedName, action, planLabel, title } = await bridge.read()
  document.title = title
  element('question').textContent = question
  element('text').textContent = text
  for (const fact of facts) {
    const term = document.createElement('dt')
    term.textContent = fact.label
    const description = document.createElement('dd')
    description.textContent = fact.text
    element('facts').append(term, description)
  }
  element('typed').textContent = typedName
  element('plan').textContent = planLabel
  run.textContent = action
  name.addEventListener('input', () => {
    const matches = name.value === typedName
    run.disabled = !matches
    run.classList.toggle('ready', matches)
  })
  run.addEventListener('click', () => bridge.answer(name.value))
  name.focus()
  // the document itself is never lower than the window is now
  bridge.fit(document.body.getBoundingClientRect().height)
}

cancel.addEventListener('click', () => bridge.answer(null))
// Cancel is the default: Enter must never run what cannot be taken back by accident
window.addEventListener('keydown', (event) => {
  const onButton = event.target instanceof HTMLButtonElement
  if (event.key === 'Escape' || (event.key === 'Enter' && !onButton)) {
    event.preventDefault()
    bridge.answer(null)
  }
})

void show()
