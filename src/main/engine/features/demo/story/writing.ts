import { type Term, termMap } from '#engine/foundation/erlang/terms.ts'
import { ARTICLES } from '../content/articles.ts'
import { HAPPENINGS } from '../content/happenings.ts'
import type { Article, Text } from '../content/types.ts'
import type { Deed, ResourceChange } from '../history/site-history.ts'
import { type Story, trans } from './story.ts'

/** Articles and news with their edits, events with their posters. */
export function tellWriting(story: Story): void {
  const { history } = story
  for (const [index, article] of ARTICLES.entries()) tellArticle(story, article, 57 - Math.floor(index * 2.3), index)
  tellEvents(story)
  story.onDay(6, 'marijke', (deed) => {
    history.disconnect(deed, story.id('harbour_light'), 'about', story.id('evening'))
    history.disconnect(deed, story.id('harbour_light'), 'depiction', story.id('image harbour'))
    history.connect(deed, story.id('harbour_light'), 'depiction', story.id('image evening'))
  })
  story.onDay(5, 'marijke', (deed) => history.remove(deed, story.id('cafe_menu')))
  story.onDay(2, 'admin', (deed) => history.remove(deed, story.id('flood_plan')))
  tellLastMinutes(story)
}

function tellArticle(story: Story, article: Article, day: number, index: number): void {
  const { history, random } = story
  const { key, category, title, summary, about = [] } = article
  const firstBody = story.body(3)
  // begun in English, translated and published a day later
  story.onDay(day, 'marijke', (deed) => {
    const props = { summary: summary.en, body: firstBody.en, is_page_path_multiple: false }
    const id = story.insert(deed, key, { category, title: title.en, isPublished: false, props })
    const writer = story.has(article.author) ? article.author : 'marijke'
    history.connect(deed, id, 'author', story.id(writer))
    for (const keyword of article.keywords) history.connect(deed, id, 'subject', story.id(`keyword ${keyword}`))
    for (const thing of about) if (story.has(thing)) history.connect(deed, id, 'about', story.id(thing))
    const picture = about.find((thing) => story.has(`image ${thing}`)) ?? (index % 2 ? 'slip' : 'workbench')
    if (story.has(`image ${picture}`)) history.connect(deed, id, 'depiction', story.id(`image ${picture}`))
    const earlier = ARTICLES[index - 2]
    if (earlier && story.has(earlier.key)) history.connect(deed, id, 'relation', story.id(earlier.key))
  })
  const isDraft = key === 'draft_exhibition'
  const edit = (days: number, change: (deed: Deed) => ResourceChange) =>
    story.onDay(days, random.next() < 0.8 ? 'marijke' : 'admin', (deed) => {
      if (story.has(key)) history.update(deed, story.id(key), change(deed))
    })
  edit(day - 1, () => ({
    title,
    languages: ['en', 'nl'],
    isPublished: !isDraft,
    props: { summary: trans(summary), body: trans(firstBody) },
  }))
  const edits = isDraft ? 6 : random.whole(0, 4)
  for (let count = 0; count < edits; count++) {
    edit(random.whole(0, Math.max(0, day - 2)), (deed) => laterChange(story, article, index + count, deed))
  }
}

/** What editors do to a page that is already there. */
function laterChange(story: Story, { key, title, summary }: Article, number: number, deed: Deed): ResourceChange {
  switch (number % 6) {
    case 0:
      return { props: { body: trans(story.body(4)) } }
    case 1:
      return {
        props: { summary: trans({ en: summary.en.replace(/\.$/, ', and more.'), nl: summary.nl.replace(/\.$/, ', en meer.') }) },
      }
    case 2:
      return { props: { blocks: blocksFor(story, title) } }
    case 3:
      return { isFeatured: true, props: { subtitle: `Edited on ${deed.at.toISOString().slice(0, 10)}` } }
    case 4:
      return { pagePath: `/${key.replaceAll('_', '-')}` }
    default:
      return { title: { en: `${title.en} (2)`, nl: `${title.nl} (2)` }, props: { seo_title: title.en, is_commentable: true } }
  }
}

function blocksFor(story: Story, title: Text): Term {
  const text = story.body(1)
  return [
    termMap({ type: 'header', name: 'head', header: trans(title) }),
    termMap({ type: 'text', name: 'more', body: trans(text) }),
    termMap({ type: 'page', name: 'see', rsc_id: story.id('page_visit'), style: 'quote' }),
  ]
}

function tellEvents(story: Story): void {
  const { history, now } = story
  for (const [index, event] of HAPPENINGS.entries()) {
    const { key, title, summary, location, startsIn, days } = event
    const day = 52 - index * 4
    story.onDay(day, 'marijke', (deed) => {
      const dateStart = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + startsIn, 10))
      const dateEnd = new Date(dateStart.getTime() + (days - 1) * 86_400_000 + 6 * 3_600_000)
      const props = { summary: trans(summary), body: trans(story.body(1)) }
      const id = story.insert(deed, key, { category: 'event', title, dateStart, dateEnd, props })
      history.connect(deed, id, 'haslocation', story.id(location))
      history.connect(deed, id, 'depiction', story.addImage(deed, key, `Poster: ${title.en}`))
    })
    if (index % 2 === 0) {
      story.onDay(Math.max(1, day - 7), 'admin', (deed) => {
        const text = { en: `${summary.en} Free for members.`, nl: `${summary.nl} Gratis voor leden.` }
        history.update(deed, story.id(key), { props: { summary: trans(text) } })
      })
    }
  }
  story.onDay(1, 'marijke', (deed) => history.attach(deed, story.id('image e_night'), story.upload('e_night again')), 0.3)
  story.onDay(3, 'marijke', (deed) => history.remove(deed, story.id('e_market')), 0.6)
}

/** So that the site is never quite as in its newest backup. */
function tellLastMinutes(story: Story): void {
  const { history, timeline, now } = story
  const texts: [minutes: number, text: Text][] = [
    [
      21,
      {
        en: 'From the first of the month we stay open on Friday evenings.',
        nl: 'Vanaf de eerste van de maand zijn we vrijdagavond open.',
      },
    ],
    [
      9,
      {
        en: 'From the first of the month: Fridays until nine, café included.',
        nl: 'Vanaf de eerste van de maand: vrijdag tot negen uur, ook het café.',
      },
    ],
  ]
  for (const [minutes, summary] of texts) {
    const at = new Date(now.getTime() - minutes * 60_000)
    timeline.add(at, () => {
      history.update({ at, by: story.id('marijke') }, story.id('opening_hours'), { props: { summary: trans(summary) } })
    })
  }
}
