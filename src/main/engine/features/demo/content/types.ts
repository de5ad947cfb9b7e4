/** A text in the site's two languages. */
export interface Text {
  en: string
  nl: string
}

export type Picture = 'sea' | 'tiles' | 'still-life' | 'plan'

export interface Person {
  key: string
  firstName: string
  surname: string
  role: Text
  bio: Text
  /** Born that year, for people of the past. */
  born?: number
}

export interface Artefact {
  key: string
  title: Text
  year: string
  material: Text
  picture: Picture
  maker?: string
}

export interface Article {
  key: string
  category: 'article' | 'news'
  title: Text
  summary: Text
  author: string
  keywords: string[]
  /** Keys of objects or people that it is about. */
  about?: string[]
}

export interface Happening {
  key: string
  title: Text
  summary: Text
  location: string
  /** Days from now that it starts; negative: over. */
  startsIn: number
  days: number
}
