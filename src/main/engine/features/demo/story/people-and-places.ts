import { atom, tuple } from '#engine/foundation/erlang/terms.ts'
import { PEOPLE } from '../content/people.ts'
import { KEYWORDS, LOCATIONS, PAGES } from '../content/site.ts'
import { DOCUMENTS, DRAWINGS, LOOSE_PICTURES } from '../media/uploads.ts'
import { type Story, trans } from './story.ts'

/** Staff and people of the past, rooms, keywords, pages and menus. */
export function tellPeopleAndPlaces(story: Story, editorHash: string): void {
  const { history } = story
  tellPeople(story, editorHash)
  for (const [index, [key, title]] of KEYWORDS.entries()) {
    story.onDay(66, 'admin', (deed) => story.insert(deed, `keyword ${key}`, { category: 'keyword', title }), 0.2 + index / 100)
  }
  for (const [index, [key, title, latitude, longitude]] of LOCATIONS.entries()) {
    const at = 0.4 + index / 100
    story.onDay(66, 'admin', (deed) => story.insert(deed, key, { category: 'location', title, latitude, longitude }), at)
  }
  for (const [index, [key, pagePath, title, summary]] of PAGES.entries()) {
    story.onDay(
      65,
      'admin',
      (deed) => {
        const props = { summary: trans(summary), body: trans(story.body(2)) }
        const name = key === 'page_home' ? { name: key, isProtected: true } : {}
        story.insert(deed, key, { category: 'text', title, pagePath, props, ...name })
      },
      0.1 + index / 20,
    )
    story.onDay(50 - index * 8, 'marijke', (deed) =>
      history.update(deed, story.id(key), { props: { body: trans(story.body(3)) } }),
    )
  }
  tellMenus(story)
  for (const [index, [key, name]] of LOOSE_PICTURES.entries()) {
    story.onDay(58 - index * 3, 'marijke', (deed) => story.addImage(deed, key, `${name}.png`, { isDependent: key === 'twice' }))
  }
  for (const [index, [key, title]] of DOCUMENTS.entries()) {
    story.onDay(48 - index * 9, 'admin', (deed) => {
      const id = story.insert(deed, key, { category: 'document', title })
      history.attach(deed, id, story.upload(key))
      history.connect(deed, story.id('page_about'), 'hasdocument', id)
    })
  }
  for (const [key, title] of DRAWINGS) story.onDay(60, 'admin', (deed) => story.addImage(deed, key, title))
}

function tellPeople(story: Story, editorHash: string): void {
  const { history } = story
  for (const [index, person] of PEOPLE.entries()) {
    const { key, firstName, surname, role, bio, born } = person
    const isStaff = born === undefined
    // the editor is there from the start: others' pages are hers
    const day = key === 'marijke' ? 67 : 64 - Math.floor(index / 3)
    story.onDay(day, key === 'marijke' ? 'admin' : 'marijke', (deed) => {
      const id = story.insert(deed, key, {
        category: 'person',
        title: `${firstName} ${surname}`,
        languages: ['en', 'nl'],
        firstName,
        surname,
        ...(born === undefined ? {} : { dateStart: new Date(Date.UTC(born, 0, 1)) }),
        props: { summary: trans(role), body: trans({ en: `<p>${bio.en}</p>`, nl: `<p>${bio.nl}</p>` }) },
      })
      if (isStaff) {
        const address = `${firstName.toLowerCase().replaceAll(' ', '.')}@deoudewerf.example`
        history.addEmail(deed, id, address)
        history.resource(id).props.set('email', address)
      } else {
        const image = story.addImage(deed, key, `Portrait of ${firstName} ${surname}`)
        history.connect(deed, id, 'depiction', image)
      }
      if (key === 'marijke') history.addPassword(deed, id, 'marijke', editorHash)
    })
    if (index % 3 === 1) {
      story.onDay(30 - index, 'marijke', (deed) => {
        const body = { en: `<p>${bio.en}</p>\n${story.body(1).en}`, nl: `<p>${bio.nl}</p>\n${story.body(1).nl}` }
        history.update(deed, story.id(key), { props: { body: trans(body) } })
      })
    }
  }
  story.onDay(40, 'admin', (deed) => {
    const id = story.insert(deed, 'intern', {
      category: 'person',
      title: 'Daan Smit',
      firstName: 'Daan',
      surname: 'Smit',
      props: { summary: trans({ en: 'Intern, spring term', nl: 'Stagiair, voorjaar' }), phone: '+31 6 0000 0000' },
    })
    history.addEmail(deed, id, 'daan@deoudewerf.example')
    history.connect(deed, id, 'relation', story.id('marijke'))
  })
  story.onDay(6, 'admin', (deed) => history.remove(deed, story.id('intern'), { isPersonalData: true }))
}

function tellMenus(story: Story): void {
  const { history } = story
  const entry = (key: string, below: string[] = []) =>
    tuple(
      atom('rsc_tree'),
      story.id(key),
      below.map((child) => tuple(atom('rsc_tree'), story.id(child), [])),
    )
  story.onDay(64, 'admin', (deed) => {
    const menu = [entry('page_home'), entry('page_visit'), entry('page_about')]
    story.insert(deed, 'main_menu', {
      category: 'menu',
      name: 'main_menu',
      title: { en: 'Main menu', nl: 'Hoofdmenu' },
      props: { menu },
    })
    const footer = [entry('page_privacy'), entry('page_contact')]
    story.insert(deed, 'footer_menu', {
      category: 'menu',
      name: 'footer_menu',
      title: { en: 'Footer', nl: 'Voettekst' },
      props: { menu: footer },
    })
  })
  story.onDay(21, 'marijke', (deed) => {
    const menu = [
      entry('page_home'),
      entry('page_visit', ['cafe', 'hall']),
      entry('c_paintings', ['c_models']),
      entry('page_about'),
    ]
    history.update(deed, story.id('main_menu'), { props: { menu } })
  })
}
