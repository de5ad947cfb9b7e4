const ROUTINE = /^create (or replace )?(function|procedure)$/

/** Tells, word by word, whether a statement is inside of the `BEGIN ATOMIC … END` of a function or procedure, as psql does. */
export class AtomicBody {
  /** The first words of the statement, which tell whether it makes a function or procedure. */
  #first: string[] = []
  #isRoutine = false
  #depth = 0

  get isOpen(): boolean {
    return this.#depth > 0
  }

  reset(): void {
    this.#first = []
    this.#isRoutine = false
    this.#depth = 0
  }

  /** @param parens how many parentheses the word is in: inside of some, nothing counts */
  word(text: string, parens: number): void {
    if (this.#first.length === 4 && !this.#isRoutine) return
    const word = text.toLowerCase()
    if (this.#first.length < 4) {
      this.#first.push(word)
      this.#isRoutine ||= ROUTINE.test(this.#first.join(' '))
    }
    if (parens > 0 || !this.#isRoutine) return
    if (word === 'begin') this.#depth += 1
    else if (word === 'case' && this.#depth > 0) this.#depth += 1
    else if (word === 'end' && this.#depth > 0) this.#depth -= 1
  }
}
