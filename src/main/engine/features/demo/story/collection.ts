import { Float } from '#engine/foundation/erlang/terms.ts'
import { ARTEFACTS } from '../content/artefacts.ts'
import { COLLECTIONS } from '../content/site.ts'
import { REPLACED } from '../media/uploads.ts'
import { type Story, trans } from './story.ts'

/** The objects with their pictures, and the collections that they are in. */
export function tellCollection(story: Story): void {
  const { history, random } = story
  for (const [index, artefact] of ARTEFACTS.entries()) {
    const { key, title, year, material, maker } = artefact
    const day = 61 - index
    story.onDay(day, 'marijke', (deed) => {
      const image = story.addImage(deed, key, title)
      const props = {
        summary: trans({ en: `${material.en}, ${year}.`, nl: `${material.nl}, ${year}.` }),
        body: trans(story.body(2)),
        artefact_year: year,
        artefact_number: `OW-${1000 + index * 17}`,
        height_cm: new Float(random.whole(20, 2400) / 10),
      }
      const id = story.insert(deed, key, { category: 'artifact', title, props })
      history.connect(deed, id, 'depiction', image)
      if (maker) history.connect(deed, id, 'author', story.id(maker))
      history.connect(deed, id, 'subject', story.id(index % 3 ? 'keyword shipbuilding' : 'keyword archive'))
    })
    for (let edit = 0; edit < index % 3; edit++) {
      const later = random.whole(1, day - 9)
      story.onDay(later, 'marijke', (deed) => {
        if (!story.has(key)) return
        history.update(deed, story.id(key), { props: { body: trans(story.body(2 + edit)) }, isFeatured: edit === 1 })
      })
    }
  }
  story.onDay(8, 'marijke', (deed) => history.remove(deed, story.id('sign')))
  tellCollections(story)
  for (const [index, key] of REPLACED.filter((replaced) => !replaced.startsWith('e_')).entries()) {
    story.onDay(11 - index * 5, 'marijke', (deed) => history.attach(deed, story.id(`image ${key}`), story.upload(`${key} again`)))
  }
  story.onDay(4, 'marijke', (deed) => history.remove(deed, story.id('image unused')))
  story.onDay(35, 'marijke', (deed) => history.connect(deed, story.id('page_visit'), 'depiction', story.id('image twice')))
  // depends on the page that shows it: gone with the last edge to it
  story.onDay(2, 'marijke', (deed) => {
    history.disconnect(deed, story.id('page_visit'), 'depiction', story.id('image twice'))
    history.remove(deed, story.id('image twice'))
  })
}

function tellCollections(story: Story): void {
  const { history } = story
  for (const [index, [key, title, parts]] of COLLECTIONS.entries()) {
    story.onDay(34 - index, 'marijke', (deed) => {
      const id = story.insert(deed, key, { category: 'collection', title, props: { summary: trans(story.body(1)) } })
      for (const part of parts) history.connect(deed, id, 'haspart', story.id(part))
    })
  }
  story.onDay(12, 'marijke', (deed) => history.connect(deed, story.id('c_instruments'), 'haspart', story.id('bell')))
  story.onDay(9, 'marijke', (deed) => history.disconnect(deed, story.id('c_instruments'), 'haspart', story.id('bell')))
  story.onDay(9, 'marijke', (deed) => history.connect(deed, story.id('c_yard'), 'haspart', story.id('bell')), 0.99)
}
